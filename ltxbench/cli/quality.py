"""`ltxbench quality`: how good frames are, of any video, still or run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ltxbench.cli.streams import say

if TYPE_CHECKING:
    from ltxbench.quality.luma import Frames


def quality(
    paths: Annotated[list[Path], typer.Argument(help="Videos, stills, or folders of runs.", show_default=False)],
    reference: Annotated[
        str | None,
        typer.Option(help="Compare frame by frame with this: a file, or for runs the name of one of their cases."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure runs anew, whatever is stored.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure sharpness, flicker, exposure, artifacts and, against a reference, PSNR, SSIM and FLIP.

    A run's figures are stored beside its cases; those that are there and still true are not measured again.
    """
    import json

    found: dict[str, Any] = {}
    for path in paths:
        measured = _run(path, reference, again) if path.is_dir() else _file(path, reference)
        found[str(path)] = measured["json"]
        if not as_json:
            for line in measured["lines"]:
                say(line)
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))


def _file(path: Path, reference: str | None) -> dict[str, Any]:
    from ltxbench.quality import assess, compare_frames, text

    frames = _read(path)
    measured = assess(frames)
    told: dict[str, Any] = {"quality": measured.model_dump(mode="json")}
    lines = [f"{path}", *(f"  {line}" for line in text.lines(measured))]
    if reference is not None:
        compared = compare_frames(_read(Path(reference)), frames, "files")
        told |= {"reference": reference, "comparison": compared.model_dump(mode="json")}
        lines.append(f"  against {reference}: {text.comparison(compared)}")
    return {"json": told, "lines": lines}


def _run(path: Path, reference: str | None, again: bool) -> dict[str, Any]:
    from ltxbench.quality import measure_run, remarkable, text
    from ltxbench.run import store

    run = store.load(path)
    measured = measure_run(run, () if reference is None else (reference,), again=again)
    lines = [f"{path}"]
    for name, record in measured.items():
        lines += [f"  {name}", *(f"    {line}" for line in text.record_lines(record))]
    findings = () if run.record.weights.synthetic else remarkable(measured)
    lines += [f"  {finding.case}: {finding.badge}: {finding.sentence}" for finding in findings]
    if run.record.weights.synthetic:
        lines.append("  The weights are synthetic: nothing is said about cases that stand out.")
    return {
        "json": {
            "cases": {name: record.model_dump(mode="json") for name, record in measured.items()},
            "findings": [
                {"case": finding.case, "badge": finding.badge.value, "sentence": finding.sentence}
                for finding in findings
            ],
        },
        "lines": lines,
    }


def _read(path: Path) -> Frames:
    from ltxbench.errors import UsageError
    from ltxbench.quality.frames import read

    if not path.is_file():
        raise UsageError(f"{path}: no such file or run")
    return read(path)
