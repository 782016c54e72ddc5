"""A full-size run beside the official PyTorch code and the published Mac, as Markdown.

    python -m tests.parity.full_size RUN FORWARD.json

RUN is a run of beaver-dam with random weights, FORWARD.json a result of `tests.parity.speed` from the same machine.
PyTorch's denoising time is the sum of its measured forwards; text, upscaling and decoding are not in it.
The published figures are those of the importer's test page, whose source that page names.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ltxbench.importing import import_published
from ltxbench.matrix.case import Case
from ltxbench.run import store
from ltxbench.run.records import DENOISING, GENERATION, CaseRecord, Outcome, Phase
from tests.parity.speed_table import forward_s, sizes

PUBLISHED = Path(__file__).parents[1] / "importing" / "fixtures" / "beaver-dam.md"
GB = 1e9


def main() -> None:
    run, forward = store.load(Path(sys.argv[1])), json.loads(Path(sys.argv[2]).read_text())
    print(table(run, forward), ends_table(run), sep="\n\n")


def table(run: store.RunFolder, forward: dict[str, Any]) -> str:
    """Medians over the rounds that went well; the highest of their peaks."""
    with tempfile.TemporaryDirectory() as folder:
        published = import_published([PUBLISHED], Path(folder)).record.imported
    assert published is not None
    titles = ("#", "Case", "denoising, PyTorch", "denoising, here", "ratio", "generation, here")
    titles += ("on the Mac, as published", "peak, here", "on the Mac")
    lines = [f"| {' | '.join(titles)} |", "|---:|---|" + "---:|" * (len(titles) - 2)]
    for record in run.cases:
        rounds = well(run, record)
        reference_s, denoising_s = torch_denoising_s(record.case, forward), over(rounds, DENOISING)
        ratio = "" if reference_s is None or denoising_s is None else f"{denoising_s / reference_s:.2f}"
        mac = published.as_published.get(record.case.name, {})
        peak = max((peak for r in rounds if (peak := r.memory.mlx_peak_bytes) is not None), default=None)
        cells = (
            str(record.number),
            record.case.title,
            seconds(reference_s),
            seconds(denoising_s),
            ratio,
            seconds(over(rounds, GENERATION)),
            mac.get("time (table)", ""),
            "" if peak is None else f"{peak / GB:.1f} GB",
            mac.get("peak memory (table)", ""),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ends_table(run: store.RunFolder) -> str:
    """Text encoding and decoding: their arithmetic, its rate, and their share of the generation.

    The first case of each amount of work stands for those with the same.
    """
    titles = ("Case", "Phase", "Work", "Time", "Rate", "of the matmul rate", "of the generation")
    lines = [f"| {' | '.join(titles)} |", "|---|---|" + "---:|" * (len(titles) - 2)]
    shown: set[object] = set()
    for record in run.cases:
        rounds = well(run, record)
        generation_s = over(rounds, GENERATION)
        for phase in (Phase.ENCODE, Phase.DECODE):
            duration_s, flops = over(rounds, (phase,)), record.facts.get(f"flops_{phase}")
            if duration_s is None or generation_s is None or not isinstance(flops, int) or flops in shown:
                continue
            shown.add(flops)
            matmul = run.record.matmul
            share = "" if matmul is None else f"{flops / duration_s / matmul.flops_per_s:.0%}"
            cells = (
                record.case.title,
                str(phase),
                f"{flops / 1e12:.3g} TFLOP",
                f"{duration_s:.3f} s",
                f"{flops / duration_s / 1e12:.0f} TFLOP/s",
                share,
                f"{duration_s / generation_s:.1%}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def well(run: store.RunFolder, record: CaseRecord) -> list[CaseRecord]:
    return [r for r in run.rounds_of(record.case.name) if r.outcome is Outcome.OK]


def over(rounds: Sequence[CaseRecord], phases: Collection[Phase]) -> float | None:
    """Seconds of these phases together, the median of the rounds; None where none has one of them."""
    totals = [sum(p.duration_s for p in r.phases if p.phase in phases) for r in rounds]
    return median(totals) if any(totals) else None


def torch_denoising_s(case: Case, forward: dict[str, Any]) -> float | None:
    """None where a stage's size was not measured, or the work is another than the plain forward."""
    if case.stg > 0:
        return None
    total = 0.0
    for stage in case.stages:
        size = f"{case.latent_frames * stage.tokens_per_latent_frame:,} tokens"
        if size not in sizes(forward):
            return None
        total += stage.steps * stage.forwards * forward_s(forward, "torch", size)
    return total


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


if __name__ == "__main__":
    main()
