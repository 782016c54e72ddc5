"""The one page that is kept whole: a finished case, its quantized twin, a failed case with a warning, one not run."""

from __future__ import annotations

from pathlib import Path

from ltxbench.report.build import build
from ltxbench.report.page import Media, Plot, Still
from ltxbench.report.render import render
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord, Outcome, VideoRecord
from tests.report.runs import BEAVER, make_matrix, make_record, make_run

GOLDEN = Path(__file__).parent / "golden" / "page.md"


def page() -> str:
    by_name = {case.name: case for case in BEAVER}
    cases = [by_name[name] for name in ("distilled", "two-stage", "dev-upscaler", "distilled-qint8", "dev-1024")]
    records = [make_record(case, number) for number, case in enumerate(cases[:2], start=1)]
    records.append(make_record(cases[2], 3, outcome=Outcome.OUT_OF_MEMORY))
    records.append(make_record(cases[3], 4))
    records = [with_video(record) for record in records]
    media = {
        record.case.name: Media(
            f"run/cases/{record.case.name}/round-1/{record.case.name}.mp4",
            (Still(12, f"frames/{record.case.name}_frame_12.png"),),
        )
        for record in records
        if record.video
    }
    plots = [Plot("Step times", "plots/steps.svg", "plots/steps.png", "One line a case.")]
    return render(build(Results(make_run(make_matrix(cases)), tuple(records)), media, plots))


def with_video(record: CaseRecord) -> CaseRecord:
    if record.outcome is not Outcome.OK:
        return record
    case = record.case
    video = VideoRecord(
        file=f"{case.name}.mp4",
        width=case.width,
        height=case.height,
        frames=case.frames,
        fps=case.fps,
        size_bytes=812_345,
        frames_sha256="12" * 32,
    )
    return record.model_copy(update={"video": video})
