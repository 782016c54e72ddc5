"""Frames of a run against those of an earlier one, where both are still here."""

from __future__ import annotations

from pathlib import Path

from ltxbench.errors import LtxbenchError
from ltxbench.regression.entry import Entry
from ltxbench.regression.exact import Pictures
from ltxbench.run import store
from ltxbench.run.store import RunFolder

IDENTICAL_DB = 100.0


def pictures(run: RunFolder, runs: Path | None = None) -> Pictures:
    """Looks for an entry's run by its id: in `runs`, its matrix's folder there, or beside `run`."""
    places = [runs, runs / run.record.matrix.name] if runs is not None else [run.path.parent]

    def psnr_db(entry: Entry, name: str) -> float | str:
        from ltxbench.quality.compare import compare_videos

        for place in places:
            path = place / entry.id
            if Path(entry.id).name == entry.id and (path / store.RUN_FILE).is_file():
                try:
                    found = compare_videos(store.load(path), run, name)
                except LtxbenchError as error:
                    return error.message
                return IDENTICAL_DB if found.identical or found.psnr_db_mean is None else found.psnr_db_mean
        return f"run {entry.id} is not in {' or '.join(map(str, places))} (--runs)"

    return psnr_db
