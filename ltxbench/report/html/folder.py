"""The page's files: index.html from the run's values, assets/ from this package, posters/ from the videos."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ltxbench.report import format as fmt
from ltxbench.report.badges import Badges, Finding
from ltxbench.report.build import build
from ltxbench.report.escape import visible
from ltxbench.report.html import badges, cases, charts, columns, media, prose
from ltxbench.report.html.embed import json_block
from ltxbench.report.html.vendored import BUNDLE, LICENCES
from ltxbench.report.manifest import Sources
from ltxbench.report.measured import measured
from ltxbench.report.page import Definition, Media, Page, Remark
from ltxbench.report.plots import style
from ltxbench.report.quality import findings as pictures_findings
from ltxbench.report.results import Results
from ltxbench.run.records import Phase
from ltxbench.run.store import RunFolder

PAGE = "index.html"
ASSETS = "assets"
STATIC = Path(__file__).with_name("static")
MOST_REMARKS = 20
MOST_WARNED = 3
DARK_PALETTE = [
    "#5AB0F2",
    "#FF8F4D",
    "#3FCBA0",
    "#E9A3CB",
    "#9AD6F7",
    "#DDB64A",
    "#F2F2F2",
    "#FFC04D",
    "#C39BD3",
    "#B5B5B5",
]
"""The palette of the plots for a dark ground, hue by hue."""
COLOURS = {"light": list(style.PALETTE), "dark": DARK_PALETTE}
STYLES = ("base", "table", "players", "plots")
SCRIPTS = ("dom", "state", "theme", "chooser", "table", "transport", "players", "stage", "plots", "details", "main")


def write_page(
    run: RunFolder,
    results: Results,
    destination: Path,
    *,
    name: str | None,
    findings: Mapping[str, Sequence[Finding]] | None,
    page: Page | None,
    sources: Sources | None,
    draw: bool,
) -> Path:
    """See the package."""
    frame = first_frame(run)
    found = {
        record.case.name: media.clip(run, record, destination, frame, sources=sources, draw=draw)
        for record in run.cases
    }
    clips = {case: clip for case, clip in found.items() if clip is not None}
    pictures = {case: Media(video=clip.src) for case, clip in clips.items()}
    noticed = pictures_findings(results) if findings is None else findings
    page = page or build(results, pictures, (), folder=name, findings=noticed)
    details = dict(zip((record.case.name for record in results.records), page.cases, strict=True))
    measures = measured(results)
    judged = Badges(results, noticed)
    of_cases = badges.of_cases(results, judged)
    shown = columns.columns(results, measures)
    drawn = charts.specifications(measures, memory=any(series.measured for series in results.memory.values()))
    present = charts.phases_of(measures)
    data: dict[str, Any] = {
        "title": page.title,
        "synthetic": run.record.weights.synthetic,
        "first_frame": frame,
        "colours": COLOURS,
        "columns": [
            {"key": c.key, "title": c.title, "numeric": c.numeric, "shown": c.shown, "meaning": c.meaning}
            for c in shown
        ],
        "cases": cases.cases(results, measures, shown, of_cases, clips, details),
        "charts": drawn,
    }
    html = render(
        "index.html.j2",
        page=page,
        verdict=results.verdict,
        of_run=badges.of_run(results, judged),
        remarks=_remarks(results, of_cases),
        definitions=[Definition(column.title, column.meaning) for column in shown if column.shown and column.meaning],
        phases=charts.phase_colours(present),
        timed_phases=charts.phase_colours(charts.timed(present)),
        warmed_up=Phase.WARM_UP in present,
        warned=[record for record in results.records if record.case.warning][:MOST_WARNED],
        sections=[(section.title, prose.html(section.body)) for section in page.sections],
        charts=drawn,
        has_clips=bool(clips),
        data=json_block(data),
        scripts=SCRIPTS,
        styles=STYLES,
    )
    write_assets(destination / ASSETS, SCRIPTS, STYLES)
    target = destination / PAGE
    target.write_text(html, encoding="utf-8", newline="\n")
    return target


def _remarks(results: Results, of_cases: Mapping[str, Sequence[badges.Badge]]) -> tuple[Remark, ...]:
    """What was found on cases, each sentence once."""
    about: dict[str, list[int]] = {}
    for record in results.records:
        for badge in of_cases.get(record.case.name, ()):
            if badge.sentence != record.case.warning and badge.kind != "note":
                about.setdefault(f"{badge.text}: {badge.sentence} {badge.advice}".strip(), []).append(record.number)
    found = [Remark(fmt.cases(numbers), text) for text, numbers in about.items()]
    rest = len(found) - MOST_REMARKS
    more = [Remark("More", f"{fmt.plural(rest, 'remark')} in the cases themselves.")] if rest > 0 else []
    return (*found[:MOST_REMARKS], *more)


def render(template: str, **values: object) -> str:
    environment = Environment(
        loader=PackageLoader("ltxbench.report.html"),
        autoescape=select_autoescape(default=True),
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)


def write_assets(folder: Path, scripts: Sequence[str], styles: Sequence[str]) -> None:
    """Copies what a page of these scripts and styles loads."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in (
        *(STATIC / "js" / f"{name}.js" for name in scripts),
        *(STATIC / "css" / f"{name}.css" for name in styles),
        BUNDLE,
        LICENCES,
    ):
        shutil.copyfile(source, folder / source.name)


def first_frame(run: RunFolder) -> int:
    """Where players start, and what posters show: the first still that the matrix asks for."""
    return min(run.record.matrix.stills, default=0)
