"""What keeps two runs' results of a case from being compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ltxbench.errors import UsageError
from ltxbench.matrix.case import PRESENTATION, Case
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.trust.samples import finished

MLX_PACKAGES = ("mlx", "mlx-metal", "mlx-cpu", "mlx-cuda-13")


class Effect(StrEnum):
    SEPARATES = "not comparable"
    UNDER_TEST = "under test"
    """A version that the comparison is about, or a field that was allowed to differ."""
    UNKNOWN = "not known"
    """One side, or both, did not record it: it may differ."""


@dataclass(frozen=True)
class Difference:
    field: str
    old: str | None
    new: str | None
    effect: Effect

    @property
    def sentence(self) -> str:
        """`mlx: 0.31.0, then 0.32.4`."""
        if self.effect is Effect.UNKNOWN:
            return f"{self.field}: not recorded on {'both sides' if self.old == self.new else 'one side'}"
        return f"{self.field}: {self.old}, then {self.new}"


@dataclass(frozen=True)
class Side:
    """A case as one run has it."""

    run: RunFolder
    case: Case
    rounds: tuple[CaseRecord, ...]

    def fact(self, name: str) -> str | None:
        found = {str(record.facts[name]) for record in self.rounds if record.facts.get(name) is not None}
        return _joined(found)


def side(run: RunFolder, name: str) -> Side | None:
    """None when the run's matrix has no such case."""
    case = next((case for case in run.record.matrix.cases if case.name == name), None)
    return None if case is None else Side(run, case, finished(run.rounds_of(name)))


def _power(side: Side) -> str | None:
    return _joined(
        {look.power_source for record in side.rounds for look in (record.before, record.after) if look is not None}
    )


def _mlx(side: Side) -> str | None:
    versions = side.run.record.machine.packages
    return ", ".join(f"{name} {versions[name]}" for name in MLX_PACKAGES if name in versions) or None


def _code(side: Side) -> str | None:
    record = side.run.record
    commit = record.machine.git_commit
    dirty = " changed" if record.machine.git_dirty else ""
    return record.ltxbench_version + (f" ({commit[:12]}{dirty})" if commit else "")


def _gib(count: int | None) -> str | None:
    return None if count is None else f"{count / 2**30:.0f} GiB"


def _environment(side: Side) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(side.run.record.machine.environment.items())) or "none"


def _schedule(side: Side) -> str:
    plan = side.run.record.schedule
    parts = ["warmed up" if plan.warm_up else "no warm-up", f"cooldown {plan.cooldown}" if plan.cooldown else ""]
    return ", ".join(part for part in parts if part)


WEIGHTS_DIGEST = "weights digest"
CASE_FIELD = "case"
_OPTIONAL = frozenset({WEIGHTS_DIGEST, "noise", "dtype", "power source", "accelerator", "conditioning"})
"""Fields that some machines or imports do not tell; absent on both sides they say nothing against a comparison."""

FIELDS: dict[str, Callable[[Side], str | None]] = {
    "chip": lambda side: side.run.record.machine.chip,
    "accelerator": lambda side: side.run.record.machine.accelerator,
    "cores": lambda side: str(side.run.record.machine.cpu_cores),
    "memory": lambda side: _gib(side.run.record.machine.memory_bytes),
    "os": lambda side: side.run.record.machine.os,
    "engine": lambda side: side.run.record.engine,
    "mlx": _mlx,
    "ltxbench": _code,
    "environment": _environment,
    "weights": lambda side: side.run.record.weights.kind,
    WEIGHTS_DIGEST: lambda side: side.run.record.weights.digest,
    "conditioning": lambda side: side.run.record.conditioning_sha256,
    "noise": lambda side: side.fact("noise_sha256"),
    "dtype": lambda side: side.fact("dtype"),
    "power source": _power,
    "schedule": _schedule,
}
THIS_PROJECT = frozenset({"ltxbench"})
UNDER_TEST = THIS_PROJECT | {"mlx"}
"""What the gate looks for: a new version of either is judged by it, as long as the machine stays the same."""
ALLOWED = (*FIELDS, CASE_FIELD)


def differences(old: RunFolder, new: RunFolder, name: str, *, allow: Iterable[str] = ()) -> tuple[Difference, ...]:
    """The fields in which two runs' results of case `name` differ, and what follows from each.

    Versions of ltxbench are what such a comparison is about. Anything else separates the results unless `allow` names
    it, as `mlx` does where versions of MLX are compared. A case that a run's matrix lacks has no differences. Raises
    UsageError for an unknown field.
    """
    allowed = check_allowed(allow) | THIS_PROJECT
    sides = side(old, name), side(new, name)
    if sides[0] is None or sides[1] is None:
        return ()
    return _between(sides[0], sides[1], allowed)


def check_allowed(allow: Iterable[str]) -> frozenset[str]:
    """Raises UsageError for a field that there is not; `power-source` is `power source`."""
    names = frozenset(name.replace("-", " ").replace("_", " ").lower() for name in allow)
    if unknown := sorted(names - set(ALLOWED)):
        raise UsageError(
            f"no field {unknown[0]!r} can be allowed to differ",
            hint=f"Fields: {', '.join(field.replace(' ', '-') for field in ALLOWED)}.",
        )
    return names | {WEIGHTS_DIGEST} if "weights" in names else names


def conditions(side: Side) -> dict[str, str | None]:
    """What a case was measured under, by field; None where it was not recorded."""
    return {field: read(side) for field, read in FIELDS.items()}


def _between(old: Side, new: Side, allowed: frozenset[str]) -> tuple[Difference, ...]:
    found = list(between_conditions(conditions(old), conditions(new), allowed))
    for setting, before, after in case_settings(old.case, new.case):
        effect = Effect.UNDER_TEST if CASE_FIELD in allowed else Effect.SEPARATES
        found.append(Difference(f"{CASE_FIELD} ({setting})", before, after, effect))
    return tuple(found)


def between_conditions(
    old: Mapping[str, str | None], new: Mapping[str, str | None], allowed: frozenset[str] = UNDER_TEST
) -> tuple[Difference, ...]:
    """As `differences`, of conditions that were kept without their run."""
    found: list[Difference] = []
    for field in dict.fromkeys((*old, *new)):
        before, after = old.get(field), new.get(field)
        if before is None or after is None:
            # An accelerator that is absent is a fact: the CPU was used.
            if field == "accelerator":
                before, after = before or "none (CPU)", after or "none (CPU)"
            elif before != after or field not in _OPTIONAL:
                found.append(Difference(field, before, after, Effect.UNKNOWN))
                continue
            else:
                continue
        if before != after:
            effect = Effect.UNDER_TEST if field in allowed else Effect.SEPARATES
            found.append(Difference(field, before, after, effect))
    return tuple(found)


def case_settings(old: Case, new: Case) -> tuple[tuple[str, str, str], ...]:
    """Settings that decide what is computed and differ: name, old, new."""
    fields = [field for field in Case.model_fields if field not in PRESENTATION]
    return tuple(
        (field, str(getattr(old, field)), str(getattr(new, field)))
        for field in fields
        if getattr(old, field) != getattr(new, field)
    )


def _joined(found: Iterable[str | None]) -> str | None:
    known = sorted(value for value in found if value is not None)
    return " and ".join(known) or None
