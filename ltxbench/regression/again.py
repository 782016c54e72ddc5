"""Suspected cases measured again, and once more while that leans their way without settling it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ltxbench.regression.confirm import confirm, confirmed, leans
from ltxbench.regression.entry import CaseEntry, Entry
from ltxbench.regression.material import Material
from ltxbench.regression.times import Finding

CONTROLS = 3
MOST_RERUNS = 4
Again = Callable[[Sequence[str], Sequence[str]], Entry | None]
"""Measures suspected cases once more, with controls in between; None where that is not possible."""
Suspected = Mapping[tuple[str, str], Finding]
"""By case and metric. Slower and faster alike: an improvement that is none would hide the next regression."""


@dataclass(frozen=True)
class Reruns:
    entries: tuple[Entry, ...] = ()
    controls: tuple[str, ...] = ()
    """Cases that were not suspected and ran in between."""
    notes: tuple[str, ...] = ()

    def cases(self, name: str) -> list[CaseEntry]:
        return [each.by_name[name] for each in self.entries if name in each.by_name]

    def shown(self, suspicion: Finding, name: str, material: Material) -> tuple[float, float] | None:
        """Ratio and p of all reruns together; None where they have no figure."""
        groups = [
            group
            for rerun in self.entries
            for group in material.groups(rerun)
            if group.metric == suspicion.metric and name in group.cases
        ]
        if not groups:
            return None
        alike = [group for group in groups if group.cases == groups[0].cases]
        return confirm(alike, suspicion, name, self.controls)

    def settled(self, suspected: Suspected, material: Material) -> bool:
        """Whether each suspicion is confirmed or has nothing that speaks for it."""
        for (name, _), suspicion in suspected.items():
            found = self.shown(suspicion, name, material)
            if found is not None and leans(suspicion, found[0]) and not confirmed(suspicion, *found):
                return False
        return True


def measure_again(material: Material, suspected: Suspected, again: Again | None) -> Reruns:
    """Nothing where nothing is suspected."""
    if not suspected:
        return Reruns()
    names = list(dict.fromkeys(name for name, _ in suspected))
    told = ", ".join(names)
    if again is None:
        return Reruns(notes=(f"Suspected and not measured again: {told}.",))
    controls = _controls(material, names)
    reruns = Reruns(controls=controls)
    while len(reruns.entries) < MOST_RERUNS and (entry := again(names, controls)) is not None:
        reruns = Reruns((*reruns.entries, entry), controls)
        if reruns.settled(suspected, material):
            break
    if not reruns.entries:
        return Reruns(notes=(f"Suspected, and could not be measured again: {told}.",))
    beside = f", with {', '.join(controls)} in between" if controls else ""
    ids = " and ".join(each.id for each in reruns.entries)
    return Reruns(reruns.entries, controls, (f"Measured again as {ids}: {told}{beside}.",))


def _controls(material: Material, suspected: Sequence[str]) -> tuple[str, ...]:
    """The fastest of the others."""
    free = [case for case in material.new.cases if case.name not in suspected and material.windows[case.name].entries]
    free.sort(key=lambda case: case.levels.get("generation_s", float("inf")))
    return tuple(case.name for case in free[:CONTROLS] if set(case.outcomes) == {"ok"})
