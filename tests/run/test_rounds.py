"""Several rounds of the cases, through the real runner."""

from __future__ import annotations

import numpy as np
import pytest

from ltxbench.errors import InvalidMeasurement
from ltxbench.run.conditions import Examination, Reading, Status
from ltxbench.run.journal import read
from ltxbench.run.lossless import read_lossless
from ltxbench.run.options import CooldownRule
from ltxbench.run.records import CHECK_ROUND, MatmulRate, Outcome
from ltxbench.run.script import CaseScript, Script
from ltxbench.run.scripted import moving_gradient
from ltxbench.run.table import cells, spread
from ltxbench.run.video import frames_sha256
from tests.run.faults.conftest import Bench, two_cases

SCRIPT = Script(
    default=CaseScript(steps=(2.0, 1.0), cold=9.0),
    accelerator="Scripted GPU",
    matmul=MatmulRate(flops_per_s=1e12, size=1024, samples=9),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("rounds"), two_cases())
    return bench.run(SCRIPT, repeats=2, order_seed=1, check=True, cooldown=CooldownRule(0.01))


def test_the_rounds_run_in_the_order_that_is_recorded(run):
    schedule = run.record.schedule
    assert (schedule.repeats, schedule.order_seed, schedule.check, schedule.cooldown) == (2, 1, True, "0.01 s")
    began = [entry for entry in read(run.path / "journal.jsonl").entries if entry.event == "began"]
    plan = [(name, number) for number, names in enumerate(schedule.order, start=1) for name in names]
    plan += [(name, CHECK_ROUND) for name in schedule.order[0]]
    assert [(entry.case, entry.round) for entry in began] == plan


def test_a_warm_up_is_made_where_there_is_an_accelerator(run):
    assert run.record.schedule.warm_up
    record = run.rounds_of("a")[0]
    assert [step.step_s for step in record.cold_steps] == pytest.approx([9.0])
    assert record.steps[0].step_s == pytest.approx(2.0)


def test_the_same_frames_are_kept_once_and_only_hashed_afterwards(run):
    first, second = sorted(run.rounds_of("a"), key=lambda record: record.video.file is None)
    assert (first.video.file, first.video.lossless) == ("a.mp4", "a.mkv")
    assert (second.video.file, second.video.lossless) == (None, None)
    assert first.video.frame_sha256 == second.video.frame_sha256
    assert sorted(path.name for path in run.round_folder(second).iterdir()) == [
        "files.json",
        "memory.csv",
        "output.txt",
        "record.json",
    ]
    assert run.check_of("a").video.file is None


def test_the_frames_without_loss_are_those_that_were_decoded(run):
    case = run.record.matrix.cases[0]
    frames = list(read_lossless(run.lossless_path("a")))
    assert np.array_equal(frames, moving_gradient(case))
    video = run.cases[0].video
    assert tuple(frames_sha256(image) for image in frames) == video.frame_sha256
    assert frames_sha256(frames) == video.frames_sha256


def test_the_check_has_neither_steps_nor_samples(run):
    check = run.check_of("a")
    assert check.steps == ()
    assert check.memory.samples == 0
    assert not (run.round_folder(check) / "memory.csv").exists()
    assert check.times.generation_s == pytest.approx(run.rounds_of("a")[0].times.generation_s)


def test_what_was_waited_for_is_recorded_but_for_the_first(run):
    waits = {(record.case.name, record.round): record.cooldown for record in run.records}
    first = (run.record.schedule.order[0][0], 1)
    assert waits.pop(first) is None
    assert all(0.01 <= wait.waited_s < 5 for wait in waits.values())


def test_the_terminal_shows_median_and_range_over_the_timed_rounds(run):
    rounds = run.rounds_of("a")
    assert cells(rounds)[:2] == ("a", "ok")
    assert spread([2.0, 1.0, 4.0, None], lambda value: f"{value:g}") == "2 (1 - 4)"
    assert spread([None], str) == "-"
    other = rounds[1].model_copy(update={"outcome": Outcome.TIMEOUT})
    assert cells([rounds[0], other])[1] == "1 ok, 1 timeout"


def test_frames_without_loss_can_be_left_out(tmp_path):
    bench = Bench(tmp_path, two_cases())
    record = bench.run(lossless=False).cases[0]
    assert record.video.lossless is None
    assert not list(tmp_path.rglob("*.mkv"))


FAILED = Examination(readings=(Reading(name="power", status=Status.FAILURE, value="battery", hint="Plug it in."),))


def test_a_machine_in_no_state_to_be_measured_is_refused_and_overridden_on_record(tmp_path):
    bench = Bench(tmp_path, two_cases())
    with pytest.raises(InvalidMeasurement, match="battery"):
        bench.run(Script(examination=FAILED))
    assert not bench.root.exists()
    run = bench.run(Script(examination=FAILED), force=True)
    assert bench.stored().record.examination.overridden
    assert run.record.examination.failed
