"""What a page says of figures that were not measured here."""

from __future__ import annotations

import re
from pathlib import PurePath

from ltxbench.report import format as fmt
from ltxbench.report.badges import closed
from ltxbench.report.page import Cell, Column, Conclusion, Imported, Table
from ltxbench.report.tables import anchor
from ltxbench.run.records import Claim, RunRecord


def imported(run: RunRecord) -> Imported | None:
    """None for a run of this project's own."""
    source = run.imported
    if source is None:
        return None
    qualified = sum(claim.qualified for claim in source.claims)
    notice = (
        f"Nothing here was measured by ltxbench: the figures are those of {_name(source.source)}, as published "
        f"(sha256 {source.source_sha256[:16]}). What the source does not tell is absent."
    )
    if qualified:
        notice += (
            f" {fmt.plural(qualified, 'claim')} of {len(source.claims)} are not carried by its own figures: see below."
        )
    return Imported(
        notice,
        _as_published(run),
        tuple(map(closed, source.notes)),
        tuple(_claim(claim) for claim in source.claims if claim.qualified),
        tuple(_claim(claim) for claim in source.claims if not claim.qualified),
    )


def _name(source: str) -> str:
    """An address as it is; of a file its name, since its folder is nobody's business."""
    return source if "://" in source else PurePath(source.replace("\\", "/")).name


def _as_published(run: RunRecord) -> Table | None:
    """The source's own summary, in its own words; None where it has none."""
    published = run.imported.as_published if run.imported is not None else {}
    present = {name for words in published.values() for name in words}
    names = [name for name in _SUMMARY if name in present]
    if not names:
        return None
    columns = (
        Column("#", numeric=True),
        Column("Configuration"),
        *(Column(_title(name), numeric=True) for name in names),
    )
    rows = tuple(
        (
            Cell(str(number)),
            Cell(case.title, anchor=anchor(case)),
            *(Cell(published.get(case.name, {}).get(name, fmt.MISSING)) for name in names),
        )
        for number, case in enumerate(run.matrix.cases, start=1)
    )
    return Table(columns, rows)


_SUMMARY = (
    *("time (table)", "pipeline total", "average per step", "peak memory (table)", "peak GPU memory"),
    *("mean memory (table)", "mean GPU memory"),
)


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _claim(claim: Claim) -> Conclusion:
    text, *others = re.split(r"(?<=[^\d]\.)\s+(?=[#A-Z\d])", closed(claim.qualification))
    if claim.recomputed is None and not claim.qualified:
        answer = "Not checked"
    else:
        answer = "Not as it stands" if claim.qualified else "It holds"
        if claim.recomputed is not None:
            others.insert(0, f"Stated {_signed(claim.stated)}, worked out again {_signed(claim.recomputed)}.")
    return Conclusion(f"“{claim.text}”", answer, text, " ".join(others))


def _signed(share: float) -> str:
    return fmt.change(1 + share, 1)
