"""What is shown while a run is made: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ltxbench.matrix.case import Case
from ltxbench.matrix.problems import printable
from ltxbench.run.estimate import Estimate
from ltxbench.run.events import Event, PhaseStarted, StepEnded
from ltxbench.run.listener import Listener
from ltxbench.run.records import CHECK_ROUND, DENOISING, CaseRecord, Outcome, Phase
from ltxbench.run.store import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

REFRESH_PER_S = 1.0  # the parent is to leave the machine to the case
PHASE_WORDS = {
    Phase.LOAD: "loading",
    Phase.WARM_UP: "warming up",
    Phase.QUANTIZE: "quantizing",
    Phase.LORA: "fusing LoRA",
    Phase.ENHANCE: "enhancing the prompt",
    Phase.ENCODE: "encoding the prompt",
    Phase.DENOISE_1: "denoising",
    Phase.DENOISE_2: "denoising, stage 2",
    Phase.UPSCALE: "upscaling",
    Phase.DECODE: "decoding",
    Phase.EXPORT: "exporting",
}


class Progress(Listener):
    """Open it as a context around the run."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._console = console
        self._estimate = Estimate(())
        self._rounds: Sequence[tuple[Case, int]] = ()
        self._round = 1
        self._case: Case | None = None
        self._position = 0
        self._step = 0
        self._phase: Phase | None = None
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=REFRESH_PER_S,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None, left="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        self._print(text)

    def run_started(self, run: RunFolder, rounds: Sequence[tuple[Case, int]]) -> None:
        self._rounds = rounds
        self._estimate = Estimate([case for case, _ in rounds])
        self._bar.update(self._task, total=self._estimate.total_work, description="starting")
        count = len({case.name for case, _ in rounds})
        repeats = run.record.schedule.repeats
        many = f", {repeats} rounds each" if repeats > 1 else ""
        self._print(f"{run.record.matrix.name}: {count} case{'s' * (count != 1)}{many} into {run.path}")

    def enhancement_started(self) -> None:
        self._show("enhancing the prompt")
        self._print_plain("enhancing the prompt")

    def enhancement_ended(self, text: str) -> None:
        self._print(f"enhanced prompt: {len(text.split())} words, shared by all cases")

    def case_started(self, case: Case, round_number: int) -> None:
        self._position += 1
        self._case, self._round, self._step, self._phase = case, round_number, 0, None
        self._estimate.case_started(case)
        self._show("starting")
        self._print_plain(f"{self._label(case)} started")

    def event(self, event: Event) -> None:
        match event:
            case PhaseStarted():
                self._phase = event.phase
            case StepEnded(cold=False):
                self._step += 1
                self._estimate.step_ended(event.record)
            case _:
                return
        if self._case is not None:
            self._show(self._doing(self._case))

    def case_ended(self, record: CaseRecord) -> None:
        if self._case is None:  # skipped
            self._position += 1
            self._round = record.round
        self._estimate.case_ended(record)
        self._case = None
        self._print(f"{self._label(record.case)} {summary(record)}")
        self._show("")

    def _label(self, case: Case) -> str:
        label = f"[{self._position}/{len(self._rounds)}] {case.name}"
        if self._round == CHECK_ROUND:
            return f"{label}, check"
        return f"{label}, round {self._round}" if max(number for _, number in self._rounds) > 1 else label

    def _doing(self, case: Case) -> str:
        if self._phase is None:
            return "starting"
        words = PHASE_WORDS[self._phase]
        if self._phase not in DENOISING:
            return words
        total = sum(stage.steps for stage in case.stages)
        return f"{words}, step {min(self._step + 1, total)}/{total}"

    def _show(self, doing: str) -> None:
        description = f"{self._label(self._case)}: {doing}" if self._case else doing
        left_s = self._estimate.remaining_s()
        left = "" if left_s is None else f"about {duration(left_s)} left"
        self._bar.update(self._task, completed=self._estimate.done_work, description=description, left=left)

    def _print(self, text: str) -> None:
        self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def _print_plain(self, text: str) -> None:
        """What the bar shows on a terminal."""
        if not self._console.is_terminal:
            self._print(text)


def summary(record: CaseRecord) -> str:
    """How a case went, in a line."""
    if record.outcome is not Outcome.OK:
        where = f" while {PHASE_WORDS[record.failure.phase]}" if record.failure and record.failure.phase else ""
        why = f": {record.failure.message}" if record.failure else ""
        return f"{record.outcome.value}{where}{why}"
    parts: list[tuple[str, float | None, Callable[[float], str]]] = [
        ("generated in", record.times.generation_s, duration),
        ("wall", record.times.wall_s, duration),
        ("peak", record.memory.mlx_peak_bytes, size),
    ]
    return ", ".join(f"{name} {words(value)}" for name, value, words in parts if value is not None)


def duration(seconds: float) -> str:
    """`8.31 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 59.995:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(size_bytes: float) -> str:
    """`22.00 GiB`, `24.1 MiB`."""
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:.1f} MiB"
    return f"{size_bytes / 2**30:.2f} GiB"
