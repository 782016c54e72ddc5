"""What the fixture `ltxbench` is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import median

import pytest

from ltxbench.errors import LtxbenchError
from ltxbench.regression.entry import CaseEntry
from ltxbench.run.store import RunFolder

GIB = 1 << 30


@dataclass(frozen=True)
class Bench:
    """`folder` takes the runs, `root` is where relative paths begin."""

    folder: Path
    root: Path

    def run(
        self,
        matrix: str | Path,
        *,
        case: str | Sequence[str] = (),
        weights: str = "tiny",
        rounds: int = 1,
        max_peak_gib: float | None = None,
        max_generation_s: float | None = None,
        baseline: str | Path | None = None,
        engine: str = "mlx",
    ) -> RunFolder:
        """Runs chosen cases of a matrix (a file, a name in the root's `matrices/`, one that comes with ltxbench), each
        in a process of its own, and returns the run.

        The test fails with one line a figure when a case does not finish, when its median over `rounds` lies above
        `max_peak_gib` (MLX's peak) or `max_generation_s`, when that was not measured, and when `baseline` says that a
        case regressed (as `ltxbench check --partial`). It fails with the error's own words where nothing could be run.
        """
        __tracebackhide__ = True
        for limit in (max_peak_gib, max_generation_s):
            if limit is not None and not (isfinite(limit) and limit > 0):
                raise ValueError(f"{limit} is no limit: give a positive number")
        try:
            run = self._measure(matrix, [case] if isinstance(case, str) else list(case), weights, rounds, engine)
            said = [*_limits(run, max_peak_gib, max_generation_s), *self._changes(run, baseline)]
        except LtxbenchError as error:
            told = f"ltxbench: {error.message}\n  {error.hint or ''}".rstrip()
            raise pytest.fail.Exception(told, pytrace=False) from None
        if said:
            pytest.fail("\n".join(["ltxbench: over the limit", *(f"  {line}" for line in said)]), pytrace=False)
        return run

    def _measure(self, matrix: str | Path, cases: list[str], weights: str, rounds: int, engine: str) -> RunFolder:
        from ltxbench.matrix import load, select
        from ltxbench.run.lock import machine_lock
        from ltxbench.run.options import Options
        from ltxbench.run.runner import Work, run_matrix
        from ltxbench.weights.resolve import digest, resolve

        resolved = load(self._find(matrix))
        chosen = select(resolved, cases)
        with machine_lock(f"pytest, matrix {resolved.name}", wait=True):
            files = resolve(weights, chosen)
            work = Work(
                matrix=resolved,
                cases=chosen,
                weights=files,
                root=self.folder,
                engine=engine,
                weights_digest=digest(files, chosen),
                command=("pytest",),
            )
            return run_matrix(work, Options(repeats=rounds))

    def _find(self, matrix: str | Path) -> Path:
        from ltxbench.matrix import find
        from ltxbench.matrix.catalog import FOLDER, SHIPPED, available

        given, own = self.root / matrix, self.root / FOLDER
        if given.is_file():
            return given
        shipped = str(matrix) in available(SHIPPED) and str(matrix) not in available(own)
        return find(str(matrix), SHIPPED if shipped else own)

    def _changes(self, run: RunFolder, baseline: str | Path | None) -> list[str]:
        if baseline is None:
            return []
        from ltxbench.regression import folder
        from ltxbench.regression.check import check
        from ltxbench.regression.take import take_run

        entry = take_run(run)
        entries = [each.entry for each in folder.load(self.root / baseline, entry.matrix)]
        found = check(entries, entry, run.record.matrix.gate, partial=True)
        return [f"{name}, {each.title}: regressed, {each.sentence}" for name, each in found.regressed]


def _limits(run: RunFolder, max_peak_gib: float | None, max_generation_s: float | None) -> list[str]:
    from ltxbench.regression.exact import outcome
    from ltxbench.regression.take import take_run
    from ltxbench.regression.verdict import Answer

    said = []
    for case in take_run(run).cases:
        ended = outcome(case, ())
        if ended.answer is not Answer.SAME:
            said.append(f"{case.name}: {ended.sentence}")
            continue
        said += _over(case, "mlx_peak_bytes", "MLX peak", max_peak_gib, 1 / GIB, "GiB")
        said += _over(case, "generation_s", "generation", max_generation_s, 1.0, "s")
    return said


def _over(case: CaseEntry, metric: str, title: str, limit: float | None, scale: float, unit: str) -> list[str]:
    if limit is None:
        return []
    values = case.samples.get(metric, ())
    if not values:
        return [f"{case.name}: {title} was not measured, the limit is {limit:g} {unit}"]
    found = median(values) * scale
    if found <= limit:
        return []
    return [f"{case.name}: {title} {found:.4g} {unit}, {found / limit - 1:.1%} over the limit of {limit:g} {unit}"]
