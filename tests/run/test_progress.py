from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ltxbench.run.estimate import Estimate, case_work
from ltxbench.run.events import PhaseEnded, PhaseStarted, StepEnded
from ltxbench.run.progress import Progress, duration, summary
from ltxbench.run.records import (
    CaseRecord,
    Failure,
    MemoryRecord,
    Outcome,
    Phase,
    PhaseRecord,
    StepRecord,
    Times,
)
from ltxbench.run.store import RunFolder
from tests.run.test_store import run_record


def ended(case, outcome=Outcome.OK, **changes) -> CaseRecord:
    return CaseRecord(case=case, number=1, outcome=outcome, started_utc="", **changes)


def step(stage=1, index=0, step_s=2.0) -> StepRecord:
    return StepRecord(stage=stage, index=index, sigma=1.0, forwards=1, start_s=0, step_s=step_s)


def play(progress: Progress, matrix) -> None:
    with progress:
        progress.run_started(RunFolder(Path("runs/small/1"), run_record(matrix)), [(case, 1) for case in matrix.cases])
        for case in matrix.cases:
            progress.case_started(case, 1)
            for phase in (Phase.LOAD, Phase.DENOISE_1):
                progress.event(PhaseStarted(phase=phase, start_s=0))
                progress.event(PhaseEnded(record=PhaseRecord(phase=phase, start_s=0, duration_s=1)))
            progress.event(StepEnded(record=step()))
            progress.case_ended(ended(case, times=Times(generation_s=3.25, wall_s=70), memory=MemoryRecord()))


def test_without_a_terminal_there_is_a_plain_line_for_each_start_and_end(matrix):
    text = io.StringIO()
    play(Progress(Console(file=text, width=40)), matrix)
    assert text.getvalue().splitlines() == [
        "small: 3 cases into runs/small/1",
        "[1/3] a started",
        "[1/3] a generated in 3.25 s, wall 1 min 10 s",
        "[2/3] b started",
        "[2/3] b generated in 3.25 s, wall 1 min 10 s",
        "[3/3] c started",
        "[3/3] c generated in 3.25 s, wall 1 min 10 s",
    ]


def test_on_a_terminal_the_bar_names_case_phase_step_and_the_time_left(matrix):
    text = io.StringIO()
    progress = Progress(Console(file=text, width=120, force_terminal=True))
    with progress:
        progress.run_started(RunFolder(Path("runs/small/1"), run_record(matrix)), [(case, 1) for case in matrix.cases])
        progress.case_started(matrix.cases[0], 1)
        progress.event(PhaseStarted(phase=Phase.DENOISE_1, start_s=0))
        progress.event(StepEnded(record=step()))
        progress._bar.refresh()
    shown = text.getvalue()
    assert "[1/3] a: denoising, step 2/3" in shown
    assert "left" in shown


def test_markup_in_a_message_is_shown_as_it_is(matrix):
    text = io.StringIO()
    with Progress(Console(file=text)) as progress:
        progress.note("[red]not red[/red] [/]")
    assert text.getvalue() == "[red]not red[/red] [/]\n"


def test_a_failure_says_where_and_why(case):
    failure = Failure(message="killed by signal 9", phase=Phase.DECODE)
    assert summary(ended(case, Outcome.SIGNAL, failure=failure)) == "signal while decoding: killed by signal 9"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (9.994, "9.99 s"),
        (59.99, "60.0 s"),
        (60, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations_are_readable(seconds, words):
    assert duration(seconds) == words


def test_the_rest_is_reckoned_by_tokens_and_forwards(matrix, case):
    guided = case.model_copy(update={"guidance": 3.0, "width": 128})
    assert case_work(guided) == 4 * case_work(case)
    estimate = Estimate([case, guided])
    assert estimate.remaining_s() is None
    estimate.case_started(case)
    for index in range(3):
        estimate.step_ended(step(index=index, step_s=2.0))
    assert estimate.remaining_s() == pytest.approx(3 * 4 * 2.0)


def test_what_surrounds_the_steps_is_learnt_from_the_cases_before(case):
    estimate = Estimate([case, case, case])
    estimate.case_started(case)
    for index in range(3):
        estimate.step_ended(step(index=index, step_s=2.0))
    phases = (PhaseRecord(phase=Phase.DENOISE_1, start_s=0, duration_s=6.0),)
    estimate.case_ended(ended(case, times=Times(generation_s=7, wall_s=10), phases=phases))
    assert estimate.remaining_s() == pytest.approx(2 * (6.0 + 4.0))


def test_a_case_that_failed_is_no_longer_waited_for(case):
    estimate = Estimate([case, case])
    estimate.case_started(case)
    estimate.step_ended(step(step_s=2.0))
    estimate.case_ended(ended(case, Outcome.FAILED))
    assert estimate.done_work == case_work(case)
    assert estimate.remaining_s() == pytest.approx(6.0)
