"""Videos and stills by group, a few to a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished, outcome_title
from ltxbench.report.measured import typical
from ltxbench.report.page import Grid, Media, StillTable, Tile
from ltxbench.report.results import Results
from ltxbench.report.tables import anchor
from ltxbench.run.records import CaseRecord

PER_ROW = 3
OTHERS = "Other configurations"


def videos(results: Results, media: Mapping[str, Media]) -> tuple[Grid, ...]:
    def tile(record: CaseRecord) -> Tile:
        record = typical(results, record)
        shown = media.get(record.case.name, Media())
        return _tile(record, shown, shown.poster)

    return _grids(results, tile)


def stills(results: Results, media: Mapping[str, Media]) -> tuple[StillTable, ...]:
    """One set of grids per wanted frame; frames that no video has are left out."""
    tables = []
    for frame in results.run.matrix.stills:
        pictures = {name: still.path for name, shown in media.items() for still in shown.stills if still.frame == frame}
        if pictures:
            tables.append(StillTable(frame, _grids(results, _still_tile(pictures, media))))
    return tuple(tables)


def _still_tile(pictures: Mapping[str, str], media: Mapping[str, Media]) -> Callable[[CaseRecord], Tile]:
    return lambda record: _tile(record, media.get(record.case.name, Media()), pictures.get(record.case.name))


def _tile(record: CaseRecord, media: Media, picture: str | None) -> Tile:
    case = record.case
    time = fmt.seconds(record.times.generation_s) if finished(record) else outcome_title(record)
    return Tile(f"{record.number}. {case.title}", anchor(case), time, picture, media.video, case.warning is not None)


def _grids(results: Results, tile: Callable[[CaseRecord], Tile]) -> tuple[Grid, ...]:
    """In the matrix's order of groups; a case without a group, or of one that is not listed, comes last."""
    titles = {group.name: group.title for group in results.run.matrix.groups}
    members: dict[str, list[Tile]] = {name: [] for name in titles}
    rest: list[Tile] = []
    for record in results.records:
        members.get(record.case.group or "", rest).append(tile(record))
    grids = [Grid(titles[name], _rows(tiles)) for name, tiles in members.items() if tiles]
    if rest:
        grids.append(Grid(OTHERS if grids else "", _rows(rest)))
    return tuple(grids)


def _rows(tiles: list[Tile]) -> tuple[tuple[Tile, ...], ...]:
    return tuple(tuple(tiles[start : start + PER_ROW]) for start in range(0, len(tiles), PER_ROW))
