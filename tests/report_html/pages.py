"""Runs and pages for the tests of the interactive page: small, made in code, with real videos."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ltxbench.matrix.case import Case
from ltxbench.report import results as stored
from ltxbench.report.html import write_page
from ltxbench.run import store
from ltxbench.run.records import CaseRecord, Outcome
from ltxbench.run.store import RunFolder
from tests.report.runs import BEAVER, failed, make_matrix, make_record, store_run

HOSTILE = "</script><script>window.broken=1</script><img src=x onerror=window.broken=1> \u202e مرحبا \u0007"


def rounds(
    cases: Sequence[Case] = BEAVER, count: int = 1, *, scale: float = 1.0, spread: float = 0.004
) -> list[CaseRecord]:
    """Each case's rounds, a little apart."""
    return [
        make_record(case, number, scale=scale * (1 + spread * ((3 * round_ + number) % 5 - 2))).model_copy(
            update={"round": round_}
        )
        for number, case in enumerate(cases, start=1)
        for round_ in range(1, count + 1)
    ]


def make_run(root: Path, *, repeats: int = 1, videos: bool = True, scale: float = 1.0) -> RunFolder:
    return store_run(root, rounds(count=repeats, scale=scale), videos=videos)


def make_page(run: RunFolder, folder: Path) -> Path:
    """As the report writes it: the page, and the run beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    store.publish(run.path, folder / "run")
    return write_page(run, stored.read(run), folder)


def hostile_run(root: Path) -> RunFolder:
    """Words that want to be markup, a case that failed, one that never ran, names without an end."""
    cases = (
        BEAVER[0].model_copy(update={"title": HOSTILE, "summary": HOSTILE, "warning": HOSTILE, "notes": (HOSTILE,)}),
        BEAVER[1].model_copy(update={"title": "Unbroken" * 60}),
        BEAVER[2],
        BEAVER[3],
    )
    matrix = make_matrix(cases, prompt=HOSTILE, title=HOSTILE)
    records = [make_record(case, number) for number, case in enumerate(cases[:3], start=1)]
    records[2] = failed(records[2].model_copy(update={"outcome": Outcome.FAILED}), HOSTILE)
    return store_run(root, records, matrix)


def data_of(page: Path) -> Any:
    """What the page's scripts are given."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    return json.loads(found[1])
