"""Two runs beside each other: ratios with their intervals, what changed around them, their frames, their videos."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ltxbench.errors import ResultError, UsageError
from ltxbench.quality.compare import compare_videos
from ltxbench.quality.records import FrameComparison
from ltxbench.report import format as fmt
from ltxbench.report.badges import closed
from ltxbench.report.figures import outcome_title
from ltxbench.report.html import charts, media
from ltxbench.report.html.badges import Badge, Kind
from ltxbench.report.html.embed import digits, json_block
from ltxbench.report.html.folder import ASSETS, COLOURS, PAGE, first_frame, render, write_assets
from ltxbench.run.files import make_folder, resource_errors
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.trust.comparability import Difference, Effect
from ltxbench.trust.comparison import CaseComparison, MetricComparison, Result, limits

Json = dict[str, Any]

STYLES = ("base", "table", "players", "plots")
SCRIPTS = ("dom", "state", "theme", "table", "transport", "players", "stage", "plots", "details", "main")
VIDEOS = "videos"
COLUMNS = (
    ("answer", "Answer", False, "of the generation time"),
    ("old", "Old", True, "median generation time of the old run"),
    ("new", "New", True, "median generation time of the new run"),
    ("ratio", "Ratio", True, "new over old: below 1 is faster"),
    ("interval", "Interval", True, "of the ratio, where there are rounds enough for one"),
    ("peak", "Peak memory", True, "its change"),
    ("frames", "Frames", False, "whether both runs made the same pictures"),
)
KINDS: dict[Result, Kind] = {Result.SLOWER: "bad", Result.NOT_COMPARABLE: "warn", Result.MISSING: "warn"}


def write_comparison(
    old: RunFolder, new: RunFolder, comparisons: Sequence[CaseComparison], destination: Path, *, threshold: float
) -> Path:
    """See the package."""
    make_folder(destination)
    with resource_errors(destination):
        pairs = [_pair(number, each, old, new) for number, each in enumerate(comparisons, start=1)]
        players = [
            player
            for number, each in enumerate(comparisons, start=1)
            for player in _players(number, each, old, new, destination)
        ]
        drawn = {"forest": charts.forest()} if any(pair["ratio"] is not None for pair in pairs) else {}
        synthetic = old.record.weights.synthetic or new.record.weights.synthetic
        data: Json = {
            "title": new.record.matrix.title,
            "synthetic": synthetic,
            "first_frame": first_frame(new),
            "colours": COLOURS,
            "threshold": threshold,
            "columns": [
                {"key": key, "title": title, "numeric": numeric, "shown": True, "meaning": meaning}
                for key, title, numeric, meaning in COLUMNS
            ],
            "cases": pairs,
            "players": players,
            "charts": drawn,
        }
        html = render(
            "comparison.html.j2",
            title=new.record.matrix.title,
            old=old.record,
            new=new.record,
            synthetic=synthetic,
            threshold=f"{100 * threshold:g}%",
            answers=_answers(comparisons),
            changes=_changes(comparisons),
            limits=limits(comparisons),
            charts=drawn,
            has_clips=bool(players),
            data=json_block(data),
            scripts=SCRIPTS,
            styles=STYLES,
        )
        write_assets(destination / ASSETS, SCRIPTS, STYLES)
        target = destination / PAGE
        target.write_text(html, encoding="utf-8", newline="\n")
    return target


def _answers(comparisons: Sequence[CaseComparison]) -> list[tuple[str, str]]:
    """(answer, its cases), the most frequent first: `6 cases: #1–#6`."""
    found: dict[str, list[int]] = {}
    for number, each in enumerate(comparisons, start=1):
        found.setdefault(each.result.value, []).append(number)
    ordered = sorted(found.items(), key=lambda pair: -len(pair[1]))
    return [(answer, f"{fmt.plural(len(numbers), 'case')}: {fmt.cases(numbers)}") for answer, numbers in ordered]


def _name(each: CaseComparison) -> str:
    """The sides are called RUN:CASE."""
    return each.new.rpartition(":")[2]


def _pair(number: int, each: CaseComparison, old: RunFolder, new: RunFolder) -> Json:
    name = _name(each)
    main = each.metrics[0] if each.metrics else None
    found = main.statistics if main is not None else None
    record = _record(new, name) or _record(old, name)
    frames, frames_sort = _frames(old, new, name)
    peak = next((figure for figure in each.figures if figure.name == "mlx_peak_bytes"), None)
    badges = [] if each.result not in KINDS else [Badge(KINDS[each.result], each.result.value, _sentence(main))]
    ratio = found.ratio if found is not None else None
    return {
        "n": number,
        "name": name,
        "title": record.case.title if record is not None else name,
        "group": "",
        "outcome": "ok",
        "excluded": None,
        "doubt": None,
        "badges": badges,
        "time_s": None,
        "peak_bytes": None,
        "mean_bytes": None,
        "front": False,
        "rounds": {},
        "steps": [],
        "phases": [],
        "memory": None,
        "clip": None,
        "ratio": digits(ratio, 6),
        "low": digits(found.low, 6) if found is not None else None,
        "high": digits(found.high, 6) if found is not None else None,
        "answer": each.result.value,
        "cells": {
            "answer": {"t": each.result.value, "v": each.result.value},
            "old": _time(main.old_s if main is not None else None),
            "new": _time(main.new_s if main is not None else None),
            "ratio": {"t": fmt.MISSING} if ratio is None else {"t": f"{ratio:.3f}", "v": digits(ratio, 9)},
            "interval": _interval(main),
            "peak": {"t": fmt.change(peak.new, peak.old), "v": digits(peak.ratio)} if peak else {"t": fmt.MISSING},
            "frames": {"t": frames, "v": frames_sort},
        },
        "detail": _detail(each, frames),
    }


def _time(value_s: float | None) -> Json:
    return {"t": fmt.seconds(value_s), "v": digits(value_s, 9)}


def _interval(metric: MetricComparison | None) -> Json:
    found = metric.statistics if metric is not None else None
    if found is None or found.low is None or found.high is None:
        return {"t": fmt.MISSING}
    return {"t": f"{found.low:.3f} – {found.high:.3f}", "v": digits(found.high - found.low)}


def _sentence(metric: MetricComparison | None) -> str:
    return closed(metric.sentence) if metric is not None else "Nothing was compared."


def _detail(each: CaseComparison, frames: str) -> Json:
    nothing: Json = dict.fromkeys(
        ("summary", "warning", "failure", "command", "problem", "phases", "steps", "twin", "settings", "caption")
    )
    figures = [
        [metric.title, f"{fmt.seconds(metric.old_s)} to {fmt.seconds(metric.new_s)}: {metric.sentence}"]
        for metric in each.metrics
        if metric.result is not Result.MISSING or metric is each.metrics[0]
    ]
    figures += [[figure.title, fmt.change(figure.new, figure.old)] for figure in each.figures if figure.ratio]
    facts = [["beside these answers", closed(text)] for text in each.qualifications]
    return {**nothing, "figures": [*figures, ["frames", frames]], "facts": facts}


def _frames(old: RunFolder, new: RunFolder, name: str) -> tuple[str, float | None]:
    """What is to be said of the pictures, and by what it sorts: the mean SSIM."""
    if not all(record is not None and record.video is not None for record in (_record(old, name), _record(new, name))):
        return fmt.MISSING, None
    try:
        found = compare_videos(old, new, name)
    except (ResultError, UsageError) as error:
        return f"not compared: {error.message}", None
    return _told(found), found.ssim_mean


def _told(found: FrameComparison) -> str:
    if found.identical:
        return f"all {found.frames} identical"
    parts = []
    if found.psnr_db_mean is not None:
        parts.append(f"PSNR {found.psnr_db_mean:.1f} dB")
    if found.ssim_mean is not None:
        parts.append(f"SSIM {found.ssim_mean:.4f}")
    if found.worst is not None:
        parts.append(f"worst: frame {found.worst.frame}, SSIM {found.worst.ssim:.4f}")
    return f"{', '.join(parts) or 'different'} ({found.source})"


def _players(number: int, each: CaseComparison, old: RunFolder, new: RunFolder, destination: Path) -> list[Json]:
    """One a side that has a video, which is copied beside the page; its time is the table's."""
    name = _name(each)
    main = each.metrics[0] if each.metrics else None
    times = (main.old_s, main.new_s) if main is not None else (None, None)
    found = []
    for place, (side, run) in enumerate((("old", old), ("new", new))):
        record = _record(run, name)
        video = run.video_path(name) if record is not None else None
        if record is None or video is None:
            continue
        src = f"{VIDEOS}/{side}-{name}.mp4"
        clip = media.clip(
            run, record, destination, first_frame(new), src=src, poster=f"{media.POSTERS}/{side}-{name}.webp"
        )
        if clip is None:
            continue
        (destination / VIDEOS).mkdir(exist_ok=True)
        shutil.copyfile(video, destination / src)
        found.append(
            {
                "n": 2 * number - 1 + place,
                "case": number,
                "name": name,
                "title": f"{side}: {record.case.title}",
                "group": f"#{number} {record.case.title}",
                "outcome": outcome_title(record),
                "time_s": times[place],
                "badges": (),
                "clip": clip,
            }
        )
    return found


def _record(run: RunFolder, name: str) -> CaseRecord | None:
    return next((record for record in run.cases if record.case.name == name), None)


def _changes(comparisons: Sequence[CaseComparison]) -> list[Difference]:
    """Each field that differs, or may, once; what keeps the runs apart first."""
    order = (Effect.SEPARATES, Effect.UNDER_TEST, Effect.UNKNOWN)
    found = dict.fromkeys(difference for each in comparisons for difference in each.differences)
    return sorted(found, key=lambda difference: order.index(difference.effect))
