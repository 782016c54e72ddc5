"""500 pushes of a repository through the gate, many times over: what it misses and how often it cries wolf.

    python -m tests.regression.simulate_history [--machine NAME] [--histories 20] [--seed 400] [--without-rerun]

Prints the tables of docs/regression.md: what was planted on one machine, or what came of it on each (`--machine all`).
Exit code 1 when a promise of that page is broken on the shelf.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ltxbench.regression.check import check
from ltxbench.regression.entry import Entry
from ltxbench.regression.verdict import Answer, Verdict
from ltxbench.regression.windows import RUNS
from tests.regression.machine import CASES, MACHINES, Code, Noise, Shelf

PUSHES = 500
KEPT = RUNS + 6
PATIENCE = 12
"""Pushes after which an unnoticed change is taken back by somebody who looked for himself."""
UPGRADES = (167, 333)
SETTLING = 15
"""Pushes after an upgrade without a planted change: the new series has to begin."""


@dataclass(frozen=True)
class Plant:
    """A change for the worse, from one push on until it is found."""

    kind: str
    """`time`, `memory`, `pictures`, `failed` or `gone`."""
    size: float
    cases: tuple[int, ...]

    @property
    def label(self) -> str:
        where = {1: "one case", len(CASES): "every case"}.get(len(self.cases), f"{len(self.cases)} cases")
        return {
            "time": f"{self.size:.0%} slower, {where}",
            "memory": f"{self.size:.0%} more memory, {where}",
            "pictures": f"other pictures, {where}",
            "failed": f"a round fails, {where}",
            "gone": "a case is gone",
        }[self.kind]

    def done_to(self, run: Entry) -> Entry:
        """What is no property of the code's figures."""
        names = {CASES[index] for index in self.cases}
        if self.kind == "gone":
            return run.model_copy(update={"cases": tuple(case for case in run.cases if case.name not in names)})
        if self.kind == "failed":
            cases = (
                case.model_copy(update={"outcomes": ("failed", *case.outcomes[1:])}) if case.name in names else case
                for case in run.cases
            )
            return run.model_copy(update={"cases": tuple(cases)})
        return run


@dataclass
class History:
    false_alarms: list[str] = field(default_factory=list)
    false_improvements: int = 0
    found_after: dict[str, list[int | None]] = field(default_factory=dict)
    """By kind of change: pushes until it was found, 1 at once; None never."""
    reruns: int = 0
    upgrades_told: int = 0
    pushes: int = 0


def plants(generator: np.random.Generator) -> list[Plant]:
    """Each size in one case, in three and in all; the others in one."""
    times = [(size, count) for size in (0.03, 0.05, 0.10, 0.30) for count in (1, 3, len(CASES))]
    others = (("memory", 0.05), ("memory", 0.03), ("pictures", 0), ("pictures", 0), ("failed", 0), ("gone", 0))
    found = [
        *(
            Plant("time", size, tuple(sorted(generator.permutation(len(CASES))[:count].tolist())))
            for size, count in times
        ),
        *(Plant(kind, size, (int(generator.integers(len(CASES))),)) for kind, size in others),
    ]
    return [found[index] for index in generator.permutation(len(found))]


def simulate(seed: int, *, pushes: int = PUSHES, noise: Noise | None = None, rerun: bool = True) -> History:
    generator = np.random.Generator(np.random.Philox(key=[seed, 8]))
    shelf = Shelf(generator, noise or Noise())
    waiting = plants(generator)
    history = History(pushes=pushes)
    baseline: list[Entry] = []
    active: Plant | None = None
    since = 0
    upgraded = 0
    next_plant = SETTLING + 3
    for number in range(pushes):
        if number in UPGRADES:
            if active is not None:
                history.found_after.setdefault(active.label, []).append(None)
                active = None
            upgraded = number
            next_plant = number + SETTLING
            shelf.upgrade(f"macOS 26.{2 + UPGRADES.index(number)}")
        if active is None and waiting and number >= next_plant and min(abs(number - each) for each in UPGRADES) > 5:
            active, since = waiting.pop(), number
        code = _code(active)
        new = shelf.push(number, code)
        if active is not None:
            new = active.done_to(new)

        def again(names: Sequence[str], controls: Sequence[str], number: int = number, code: Code = code) -> Entry:
            history.reruns += 1
            return shelf.again(number, code, [*names, *controls])

        verdict = check(baseline[-KEPT:], new, again=again if rerun else None)
        if number == upgraded and number:
            history.upgrades_told += _only_not_comparable(verdict)
        found = _count(history, verdict, active, number)
        if active is not None and (found or number - since + 1 >= PATIENCE):
            history.found_after.setdefault(active.label, []).append(number - since + 1 if found else None)
            active = None
            next_plant = number + int(generator.integers(14, 20))
        if verdict.exit_code == 0:
            baseline.append(new)
    return history


def _code(active: Plant | None) -> Code:
    code = Code()
    if active is None:
        return code
    chosen = list(active.cases)
    if active.kind == "time":
        code.time[chosen] = 1 + active.size
    elif active.kind == "memory":
        code.memory[chosen] = 1 + active.size
    elif active.kind == "pictures":
        code.pictures = tuple(int(index in active.cases) for index in range(len(CASES)))
    return code


def _count(history: History, verdict: Verdict, active: Plant | None, number: int) -> bool:
    """Whether what is planted was found. Anything else that regressed is a false alarm."""
    planted = {CASES[index] for index in active.cases} if active is not None else set()
    found, wrong = False, []
    for case in verdict.cases:
        for each in case.metrics:
            if each.answer is Answer.REGRESSED:
                if case.name in planted:
                    found = True
                else:
                    wrong.append(f"push {number}: {case.name} {each.title}: {each.sentence}")
            history.false_improvements += each.answer is Answer.IMPROVED
    if wrong:
        history.false_alarms.append(wrong[0])
    return found


def _only_not_comparable(verdict: Verdict) -> bool:
    return verdict.exit_code == 0 and all(
        {each.answer for each in case.metrics if each.metric != "outcome"} == {Answer.NOT_COMPARABLE}
        for case in verdict.cases
    )


def rows(histories: Sequence[History]) -> list[dict[str, object]]:
    found: dict[str, list[int | None]] = {}
    for history in histories:
        for label, values in history.found_after.items():
            found.setdefault(label, []).extend(values)
    return [
        {
            "change": label,
            "planted": len(values),
            "at once": sum(each == 1 for each in values),
            "within 5": sum(each is not None and each <= 5 for each in values),
            "later": sum(each is not None and each > 5 for each in values),
            "not found": sum(each is None for each in values),
        }
        for label, values in sorted(found.items(), key=lambda item: (_size(item[0]), item[0]))
    ]


def _size(label: str) -> float:
    return float(label.partition("%")[0]) if "slower" in label else 100.0


def broken(histories: Sequence[History]) -> list[str]:
    """Promises of docs/regression.md that do not hold."""
    said = []
    for index, history in enumerate(histories):
        if len(history.false_alarms) > 1:
            said.append(f"history {index}: {len(history.false_alarms)} false alarms")
        if history.pushes > max(UPGRADES) and history.upgrades_told != len(UPGRADES):
            said.append(f"history {index}: an upgrade was not told as one")
    for row in rows(histories):
        label = str(row["change"])
        if label.startswith(("10%", "30%")) or "slower" not in label:
            wanted = "at once"
        elif label.startswith("5%"):
            wanted = "within 5"
        else:
            continue
        if row[wanted] != row["planted"]:
            said.append(f"{label}: {row[wanted]} of {row['planted']} {wanted}")
    return said


def totals(histories: Sequence[History]) -> dict[str, object]:
    """A machine's line of the second table."""
    found = rows(histories)

    def share(start: str, within: str) -> str:
        labels = [(str(row["change"]), row) for row in found]
        chosen = [row for label, row in labels if (label.startswith(start) if start else "slower" not in label)]
        return f"{sum(int(str(row[within])) for row in chosen)}/{sum(int(str(row['planted'])) for row in chosen)}"

    return {
        "histories": len(histories),
        "false alarms": sum(len(each.false_alarms) for each in histories),
        "most in one": max(len(each.false_alarms) for each in histories),
        "reruns in 500": round(
            sum(each.reruns for each in histories) / sum(each.pushes for each in histories) * PUSHES
        ),
        "5% within 5": share("5% slower", "within 5"),
        "10% at once": share("10% slower", "at once"),
        "10% within 5": share("10% slower", "within 5"),
        "30% at once": share("30% slower", "at once"),
        "all else at once": share("", "at once"),
        "upgrades told": f"{sum(each.upgrades_told for each in histories)}/{len(UPGRADES) * len(histories)}",
    }


def report(histories: Sequence[History], said: Sequence[str]) -> dict[str, object]:
    return {
        "pushes": sum(history.pushes for history in histories),
        "histories": len(histories),
        "histories by false alarms": dict(sorted(Counter(len(each.false_alarms) for each in histories).items())),
        "false improvements": sum(history.false_improvements for history in histories),
        "reruns": sum(history.reruns for history in histories),
        "upgrades told": sum(history.upgrades_told for history in histories),
        "broken": list(said),
    }


def table(found: Sequence[dict[str, object]]) -> str:
    head = list(found[0])
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(str(row[name]) for name in head) + " |" for row in found)])


def _play(name: str, seed: int, *, rerun: bool) -> History:
    return simulate(seed, noise=MACHINES[name], rerun=rerun)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--machine", choices=[*MACHINES, "all"], default="shelf")
    parser.add_argument("--histories", type=int, default=20)
    parser.add_argument("--seed", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=None, help="processes; one a core")
    parser.add_argument("--without-rerun", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    machines = tuple(MACHINES) if arguments.machine == "all" else (arguments.machine,)
    names = [name for name in machines for _ in range(arguments.histories)]
    seeds = [arguments.seed + index for _ in machines for index in range(arguments.histories)]
    by_machine: dict[str, list[History]] = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        played = pool.map(partial(_play, rerun=not arguments.without_rerun), names, seeds)
        for name, history in zip(names, played, strict=True):
            by_machine.setdefault(name, []).append(history)
            number = len(by_machine[name])
            print(f"{name}, history {number}: {len(history.false_alarms)} false alarms", file=sys.stderr)
    said = broken(by_machine["shelf"]) if "shelf" in by_machine else []
    if arguments.machine == "all":
        lines: list[dict[str, object]] = [{"machine": name, **totals(found)} for name, found in by_machine.items()]
        print(json.dumps(lines, indent=1) if arguments.json else table(lines))
        return bool(said)
    (histories,) = by_machine.values()
    summary = report(histories, said)
    if arguments.json:
        alarms = [history.false_alarms for history in histories]
        print(json.dumps({"changes": rows(histories), **summary, "false alarms": alarms}, indent=1))
    else:
        print(table(rows(histories)) + "\n\n" + "\n".join(f"{name}: {value}" for name, value in summary.items()))
        for history in histories:
            for alarm in history.false_alarms:
                print(f"  false alarm at {alarm}")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
