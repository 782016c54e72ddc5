"""The parent's side of one job: starts the child, listens, and makes sure that it ends."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from ltxbench.errors import ResourceError
from ltxbench.run.address_space import allowed_bytes
from ltxbench.run.events import Emit, EventReader, PhaseEnded, PhaseStarted
from ltxbench.run.interrupts import Interrupts
from ltxbench.run.limits import Limit, PhaseLimits
from ltxbench.run.oom_kills import oom_kills
from ltxbench.run.output import OutputLog
from ltxbench.run.pipes import Pipes, nameless_file
from ltxbench.run.records import Phase
from ltxbench.run.worker import WorkerJob

GRACE_S = 15.0  # an interrupted child is inside an evaluation that it cannot leave halfway
REPEAT_S = 2.0  # an interrupt that arrives while the child imports its libraries may be lost
TRACEBACK_S = 0.5  # for a child that hangs to print where
DRAIN_S = 1.0  # for what a dead child still has in its pipes
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    returncode: int
    """Negative: the signal that killed it."""
    wall_s: float
    timed_out: bool
    interrupted: bool
    garbled: str | None
    """The first line on the event pipe that was no event."""
    output_tail: str
    limit: Limit | None = None
    """The one that it did not keep."""
    oom_killed: bool = False
    """Meanwhile the kernel ended a process here because memory ran out."""
    allowed_bytes: int | None = None
    """What the child was allowed to map; None without a limit."""


def supervise(
    job: WorkerJob,
    emit: Emit,
    *,
    output: Path,
    limit_s: float | None = None,
    phase_limits: PhaseLimits | None = None,
    environment: Mapping[str, str] | None = None,
    interrupts: Interrupts | None = None,
) -> Ended:
    """Runs `job` in a process group of its own and hands every event to `emit`; returns when the group is gone.

    `environment` is added to this process's own. Past `limit_s` seconds, or a phase's own limit, the child is killed;
    clocks that can be set play no part in it. Waits without spinning. The child ends when this process does.
    Raises ResourceError when its output cannot be written; whatever is raised, no process is left behind.
    """
    before = oom_kills()
    with OutputLog(output) as log, _Child(job, emit, log, environment or {}, interrupts) as child:
        child.wait(limit_s, phase_limits or PhaseLimits())
        after = oom_kills()
        return Ended(
            returncode=child.returncode,
            wall_s=child.ended_s - child.started_s,
            timed_out=child.limit is not None,
            interrupted=child.interrupted,
            garbled=child.reader.garbled,
            output_tail=log.tail,
            limit=child.limit,
            oom_killed=before is not None and after is not None and after > before,
            allowed_bytes=allowed_bytes(),
        )


class _Child:
    def __init__(
        self,
        job: WorkerJob,
        emit: Emit,
        log: OutputLog,
        environment: Mapping[str, str],
        interrupts: Interrupts | None,
    ) -> None:
        self._emit = emit
        self._log = log
        self._interrupts = interrupts
        self.reader = EventReader()
        self.returncode = 0
        self.interrupted = False
        self.limit: Limit | None = None
        self._phase: Phase | None = None
        self._phase_began_s = 0.0
        self._gone = False
        self._kill_at_s: float | None = None
        self._repeat_at_s: float | None = None
        with _no_process(), ExitStack() as stack:
            self._selector = stack.enter_context(selectors.DefaultSelector())
            pipes = stack.enter_context(Pipes())
            events, events_end = pipes.open()
            printed, printed_end = pipes.open()
            gone, self._gone_end = pipes.open()
            lifeline, _held = pipes.open()
            stdin = stack.enter_context(nameless_file(job.model_dump_json().encode()))
            self._open = {events: self._read_events, printed: self._log.write}
            for descriptor in (events, printed, gone):
                os.set_blocking(descriptor, False)
                self._selector.register(descriptor, selectors.EVENT_READ)
            self._exit_descriptor = gone
            if interrupts is not None:
                self._selector.register(interrupts.descriptor, selectors.EVENT_READ)
            self.started_s = self.ended_s = time.monotonic()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ltxbench.run.child", str(events_end), str(lifeline)],
                stdin=stdin,
                stdout=printed_end,
                stderr=printed_end,
                pass_fds=(events_end, lifeline),
                start_new_session=True,
                env={**os.environ, **environment},
            )
            for descriptor in (events_end, printed_end, lifeline):
                pipes.close(descriptor)
            self._waiter = threading.Thread(target=self._await_exit, name="child-waiter", daemon=True)
            self._waiter.start()
            self._stack = stack.pop_all()

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *exception: object) -> None:
        self._signal_group(signal.SIGKILL)
        self._waiter.join()
        self._stack.close()

    def _await_exit(self) -> None:
        """In a thread: a child's pipes may outlive it in what it started, so their end does not tell its own."""
        self._process.wait()
        self.ended_s = time.monotonic()
        os.write(self._gone_end, b"\0")

    def wait(self, limit_s: float | None, phase_limits: PhaseLimits) -> None:
        while not self._gone:
            limit, deadline_s = self._next_limit(limit_s, phase_limits)
            self._turn(_earliest(deadline_s, self._kill_at_s, self._repeat_at_s))
            now_s = time.monotonic()
            if self._repeat_at_s is not None and now_s >= self._repeat_at_s:
                self._interrupt()
            if self._kill_at_s is not None and now_s >= self._kill_at_s:
                self._signal_group(signal.SIGKILL)
                self._kill_at_s = self._repeat_at_s = limit_s = None
                phase_limits = PhaseLimits()
                continue
            limit, deadline_s = self._next_limit(limit_s, phase_limits)  # what was just read may have ended the phase
            if limit is not None and deadline_s is not None and now_s >= deadline_s:
                self.limit, limit_s, phase_limits = limit, None, PhaseLimits()
                self._process.send_signal(signal.SIGUSR1)  # faulthandler prints where it hangs
                self._kill_at_s = _earliest(self._kill_at_s, now_s + TRACEBACK_S)
        self.returncode = self._process.returncode
        self._signal_group(signal.SIGKILL)
        drained_s = time.monotonic() + DRAIN_S
        while self._open and time.monotonic() < drained_s:
            self._turn(drained_s)

    def _next_limit(self, limit_s: float | None, phase_limits: PhaseLimits) -> tuple[Limit | None, float | None]:
        """The limit that will be reached first, and when."""
        limits = []
        if limit_s is not None:
            limits.append((self.started_s + limit_s, Limit(limit_s)))
        if self._phase is not None and (phase_s := phase_limits.of(self._phase)) is not None:
            limits.append((self._phase_began_s + phase_s, Limit(phase_s, self._phase)))
        if not limits:
            return None, None
        deadline_s, limit = min(limits, key=itemgetter(0))
        return limit, deadline_s

    def _turn(self, until_s: float | None) -> None:
        """Waits for whatever comes first, and deals with it."""
        timeout_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        for key, _ in self._selector.select(timeout_s):
            descriptor = key.fd
            if descriptor == self._exit_descriptor:
                self._gone = True
                self._selector.unregister(descriptor)
            elif descriptor in self._open:
                self._read(descriptor)
            else:
                self._selector.unregister(descriptor)
                self.interrupted = True
                self._kill_at_s = time.monotonic() + GRACE_S
                self._interrupt()

    def _interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._repeat_at_s = time.monotonic() + REPEAT_S

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._open[descriptor](data)
        else:
            self._selector.unregister(descriptor)
            del self._open[descriptor]

    def _read_events(self, data: bytes) -> None:
        for event in self.reader.feed(data):
            if isinstance(event, PhaseStarted):
                self._phase, self._phase_began_s = event.phase, time.monotonic()
            elif isinstance(event, PhaseEnded):
                self._phase = None
            self._emit(event)

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self._process.pid, number)


@contextmanager
def _no_process() -> Iterator[None]:
    """What the system refuses, be it a pipe or the process itself, told as ResourceError."""
    try:
        yield
    except OSError as error:
        raise ResourceError(f"no process can be started for a case ({error})") from error


def _earliest(*times_s: float | None) -> float | None:
    return min((time_s for time_s in times_s if time_s is not None), default=None)
