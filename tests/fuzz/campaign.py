"""The long fuzzing run: `python -m tests.fuzz.campaign --matrices 100000 --headers 100000 --journals 100000 --seed 1`.

One process, the same inputs for the same seed, whatever else is asked for. Prints counts and time for each kind, and
every finding with the command that makes its input again. Exits with 1 where there is a finding: a traceback, a hang,
a message a terminal would act on, an answer that the oracle contradicts, or anything touched outside the folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz.headers import Headers
from tests.fuzz.journals import Journals
from tests.fuzz.matrices import Matrices
from tests.fuzz.target import Finding, Hang, Target, Watch, random_for, time_limit

BACKSTOP_S = 120.0
"""After which a hang in C, which no signal handler interrupts, ends the process."""
MAX_FINDINGS = 20
KINDS = ("matrices", "headers", "journals")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.campaign")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="KIND:NUMBER", help="make one input again, print it and check it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ltxbench-fuzz-") as name:
        folder = Path(name) / "inside"
        folder.mkdir()
        targets: dict[str, Target] = {"matrices": Matrices(), "headers": Headers(folder), "journals": Journals()}
        if options.only:
            kind, _, number = options.only.partition(":")
            return again(targets[kind], int(number), options.seed)
        before = Path.cwd()
        os.chdir(folder)  # so that a relative path lands where it is seen
        try:
            watch = Watch(folder)
            found = sum(run(targets[kind], getattr(options, kind), options.seed, watch) for kind in KINDS)
            strays = sorted(path.name for path in Path(name).iterdir() if path.name != "inside")
            strays += sorted(path.name for path in folder.iterdir() if path.name != "x.safetensors")
        finally:
            os.chdir(before)
    if strays:
        print(f"files that nobody asked for: {', '.join(strays)}")
    return 1 if found or strays else 0


def run(target: Target, count: int, seed: int, watch: Watch) -> int:
    """The number of findings."""
    if not count:
        return 0
    target.check(target.make(random_for(seed, target.name, 0)))  # imports what is imported late
    outcomes: Counter[str] = Counter()
    findings = 0
    slowest_s = 0.0
    started = time.monotonic()
    for number in range(count):
        data = target.make(random_for(seed, target.name, number))
        faulthandler.dump_traceback_later(BACKSTOP_S, exit=True, file=sys.__stderr__)
        began = time.monotonic()
        try:
            with watch.watching(), time_limit():
                outcome = target.check(data)
        except Hang:
            problem = "hangs"
        except Finding as finding:
            problem = str(finding)
        except Exception:  # noqa: BLE001 - whatever escapes is what is looked for
            problem = traceback.format_exc(limit=-6)
        else:
            problem = ""
            outcomes[outcome] += 1
        slowest_s = max(slowest_s, time.monotonic() - began)
        if problem:
            findings += 1
            print(
                f"FINDING {target.name}:{number}: {problem}\n  --seed {seed} --only {target.name}:{number}", flush=True
            )
            if findings >= MAX_FINDINGS:
                print("and no further: too many findings")
                break
    faulthandler.cancel_dump_traceback_later()
    took_s = time.monotonic() - started
    done = sum(outcomes.values()) + findings
    print(
        f"{target.name}: {done:,} of seed {seed} in {took_s:,.0f} s, the slowest {slowest_s:.2f} s, findings {findings}"
    )
    for outcome, times in outcomes.most_common():
        print(f"  {times:>9,}  {outcome}")
    sys.stdout.flush()
    return findings


def again(target: Target, number: int, seed: int) -> int:
    data = target.make(random_for(seed, target.name, number))
    print(data)
    print(target.check(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
