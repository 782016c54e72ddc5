"""What became of a child that did not say so itself: judged by how its process ended and what it printed last."""

from __future__ import annotations

import signal

from ltxbench.run.records import Outcome
from ltxbench.run.supervisor import Ended
from ltxbench.run.worker import tells_out_of_memory, tells_watchdog

SIGNAL_CAUSES = {
    signal.SIGKILL: "often the system, out of memory",
    signal.SIGABRT: "on a Mac often the GPU watchdog",
    signal.SIGSEGV: "a crash inside a library; MLX on a CPU crashes so when an allocation fails",
}

UNCHANGED_BY_A_REPEAT = (Outcome.OUT_OF_MEMORY, Outcome.WATCHDOG, Outcome.TIMEOUT, Outcome.INVALID)
"""A case that ended so would in its further rounds as well: they are skipped."""


def explain(ended: Ended) -> tuple[Outcome, str]:
    """The outcome and a sentence for it."""
    if ended.limit is not None:
        what = "the time limit of a case" if ended.limit.phase is None else f"the time limit of {ended.limit.phase}"
        return Outcome.TIMEOUT, f"killed after {ended.wall_s:.0f} s: {what}, {ended.limit.seconds:g} s, was over"
    if ended.interrupted:
        return Outcome.INTERRUPTED, "interrupted"
    if ended.garbled is not None:
        return Outcome.FAILED, f"the process sent what is no event: {ended.garbled}"
    if ended.returncode < 0:
        return _by_signal(-ended.returncode, ended)
    return Outcome.FAILED, f"ended with exit code {ended.returncode} before it had finished"


def _by_signal(number: int, ended: Ended) -> tuple[Outcome, str]:
    """A GPU's errors come up outside of Python, where nothing can catch them: the process aborts."""
    if number == signal.SIGKILL and ended.oom_killed:
        return Outcome.OUT_OF_MEMORY, "killed by the system, which had no memory left (signal 9, SIGKILL)"
    message = f"killed by {name_signal(number)}"
    if number == signal.SIGSEGV and ended.allowed_bytes is not None:
        return (
            Outcome.OUT_OF_MEMORY,
            f"{message}; its process was allowed {ended.allowed_bytes / 2**30:.1f} GiB of memory",
        )
    if number == signal.SIGABRT and tells_watchdog(ended.output_tail):
        return Outcome.WATCHDOG, f"{message}: the system ended work on the GPU that took too long"
    if number == signal.SIGABRT and tells_out_of_memory(ended.output_tail):
        return Outcome.OUT_OF_MEMORY, message
    return Outcome.SIGNAL, message


def name_signal(number: int) -> str:
    """`signal 9 (SIGKILL, often the system, out of memory)`."""
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"signal {number}"
    cause = SIGNAL_CAUSES.get(known)
    return f"signal {number} ({known.name}{f', {cause}' if cause else ''})"
