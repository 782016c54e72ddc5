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
from pathlib import Path
from typing import Any

from ltxbench.importing import import_published
from ltxbench.matrix.case import Case
from ltxbench.run import store
from ltxbench.run.records import DENOISING, CaseRecord
from tests.parity.speed_table import forward_s, sizes

PUBLISHED = Path(__file__).parents[1] / "importing" / "fixtures" / "beaver-dam.md"
GB = 1e9


def main() -> None:
    run, forward = Path(sys.argv[1]), Path(sys.argv[2])
    print(table(store.load(run), json.loads(forward.read_text())))


def table(run: store.RunFolder, forward: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        published = import_published([PUBLISHED], Path(folder)).record.imported
    assert published is not None
    titles = ("#", "Case", "denoising, PyTorch", "denoising, here", "ratio", "generation, here")
    titles += ("on the Mac, as published", "peak, here", "on the Mac")
    lines = [f"| {' | '.join(titles)} |", "|---:|---|" + "---:|" * (len(titles) - 2)]
    for record in run.cases:
        reference_s, denoising_s = torch_denoising_s(record.case, forward), denoising(record)
        ratio = "" if reference_s is None or denoising_s is None else f"{denoising_s / reference_s:.2f}"
        mac = published.as_published.get(record.case.name, {})
        peak = record.memory.mlx_peak_bytes
        cells = (
            str(record.number),
            record.case.title,
            seconds(reference_s),
            seconds(denoising_s),
            ratio,
            seconds(record.times.generation_s),
            mac.get("time (table)", ""),
            "" if peak is None else f"{peak / GB:.1f} GB",
            mac.get("peak memory (table)", ""),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


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


def denoising(record: CaseRecord) -> float | None:
    parts = [part.duration_s for part in record.phases if part.phase in DENOISING]
    return sum(parts) if parts else None


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


if __name__ == "__main__":
    main()
