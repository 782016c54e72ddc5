"""What a check has to go by: the new run, each case's window, and the times of both, side by side for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ltxbench.matrix.gate import Limit, Thresholds
from ltxbench.regression.entry import CaseEntry, Entry
from ltxbench.regression.lasting import to_present
from ltxbench.regression.times import Group
from ltxbench.regression.windows import Window
from ltxbench.statistics.values import Floats


@dataclass(frozen=True)
class Material:
    """Windows and thresholds by case."""

    new: Entry
    windows: dict[str, Window]
    thresholds: dict[str, Thresholds]

    _timed: dict[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)

    def timed(self, name: str, metric: str) -> tuple[Entry, ...]:
        """Of the window, the runs that have the time and are trusted in it."""
        if (name, metric) not in self._timed:
            cases = ((each, each.by_name[name]) for each in self.windows[name].entries if not each.invalid)
            self._timed[name, metric] = tuple(
                each for each, case in cases if not case.invalid and case.levels.get(metric, 0) > 0
            )
        return self._timed[name, metric]

    def limit(self, name: str, metric: str) -> float | None:
        """None where the gate does not ask for it."""
        thresholds = self.thresholds[name]
        limit: Limit | None = thresholds.generation
        if metric.startswith("step_"):
            limit = thresholds.step
        elif metric == "load_s":
            limit = thresholds.load
        return None if limit == "off" else limit

    def metrics(self, case: CaseEntry) -> list[str]:
        """Times that the gate asks for and either side has."""
        names = dict.fromkeys(case.samples)
        for each in self.windows[case.name].entries[-1:]:
            names |= dict.fromkeys(each.by_name[case.name].samples)
        return [name for name in names if name.endswith("_s") and self.limit(case.name, name) is not None]

    def groups(self, values: Entry) -> list[Group]:
        """The cases of each metric by the window that they share, with the new values taken from `values`."""
        shared: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for case in values.cases:
            if case.name not in self.windows or values.invalid or case.invalid:
                continue
            for metric in self.metrics(case):
                entries = self.timed(case.name, metric)
                if case.levels.get(metric, 0) > 0 and entries:
                    shared.setdefault((metric, tuple(each.id for each in entries)), []).append(case.name)
        return [self._group(metric, names, values) for (metric, _), names in shared.items()]

    def _group(self, metric: str, names: Sequence[str], values: Entry) -> Group:
        entries = (*self.timed(names[0], metric), values)
        cases = [[each.by_name[name] for name in names] for each in entries]
        levels = np.log([[case.levels[metric] for case in row] for row in cases])
        fastest = np.array([[case.fastest[metric] for case in row] for row in cases])
        fastest = np.log(np.maximum(fastest, np.finfo(np.float64).tiny))
        moved = to_present(levels[:-1])
        limits = (self.limit(name, metric) for name in names)
        return Group(
            metric=metric,
            cases=tuple(names),
            window=levels[:-1] + moved,
            new=levels[-1],
            thresholds=tuple(limit for limit in limits if limit is not None),
            fastest=np.vstack([fastest[:-1] + moved, fastest[-1:]]),
            rates=_log_rates(entries),
        )


def _log_rates(entries: Sequence[Entry]) -> Floats | None:
    known = [each.matmul_flops_per_s for each in entries]
    return None if None in known else np.log(np.array(known, dtype=np.float64))
