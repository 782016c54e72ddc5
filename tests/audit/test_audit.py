"""Each audit passes on an engine that is as it should be, and fails on one that is wrong in its own way."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ltxbench.audit import Answer, Check, read_audit
from ltxbench.audit.records import AUDIT_FILE
from ltxbench.audit.run import audit
from ltxbench.cli.app import app
from ltxbench.errors import InvalidMeasurement, ResultError, UsageError
from ltxbench.run import store
from ltxbench.run.engine import Generated, GenerateJob, Recorder
from ltxbench.run.records import Import, Phase
from ltxbench.run.script import CaseScript, Failure, Fault, Picture
from ltxbench.run.scripted import ScriptedEngine
from tests.audit.conftest import CASES

FINE = CaseScript(steps=(1.0, 0.9))


def answers(found, name="quick"):
    (case,) = [case for case in found.cases if case.case == name]
    return {finding.check: finding.answer for finding in case.findings}


def sentence(found, check):
    return next(finding.sentence for finding in found.cases[0].findings if finding.check is check)


def test_an_engine_that_computes_everything_each_time_passes_all_four(quick, measured, engine):
    run = measured(FINE, check=True)
    found = audit(run, engine=engine(FINE))
    assert answers(found) == dict.fromkeys(Check, Answer.PASSED)
    assert "The run and a fresh process: bitwise the same" in sentence(found, Check.SAME_SEED)
    assert "the run's own check" in sentence(found, Check.UNTOUCHED)
    assert read_audit(run.path) == found
    assert store.load(run.path).record == run.record, "a run that was audited is still a run"


def test_frames_that_change_from_process_to_process_fail_the_first_audit(quick, measured, engine):
    script = FINE.model_copy(update={"picture": Picture.CHANGING})
    found = audit(measured(script), engine=engine(script))
    assert answers(found)[Check.SAME_SEED] is Answer.FAILED
    assert "two generations of one process: the frames differ" in sentence(found, Check.SAME_SEED)


def test_a_run_that_cannot_be_reproduced_fails_though_fresh_processes_agree(quick, measured, engine):
    found = audit(measured(FINE), engine=engine(FINE.model_copy(update={"picture": Picture.UNSEEDED})))
    said = sentence(found, Check.SAME_SEED)
    assert answers(found)[Check.SAME_SEED] is Answer.FAILED
    assert "The run and a fresh process: the frames differ" in said
    assert "two fresh processes: bitwise the same" in said


def test_frames_that_ignore_the_seed_fail_the_second_audit(quick, measured, engine):
    script = FINE.model_copy(update={"picture": Picture.UNSEEDED})
    found = audit(measured(script), engine=engine(script))
    assert answers(found)[Check.OTHER_SEED] is Answer.FAILED
    assert answers(found)[Check.SAME_SEED] is Answer.PASSED


@pytest.mark.parametrize(("share", "answer"), [(0.5, Answer.FAILED), (0.95, Answer.PASSED), (1.2, Answer.PASSED)])
def test_a_repetition_that_is_faster_beyond_noise_fails_the_third_audit(quick, measured, engine, share, answer):
    script = FINE.model_copy(update={"repeated_share": share})
    found = audit(measured(script), engine=engine(script))
    assert answers(found)[Check.NOTHING_KEPT] is answer
    (finding,) = [finding for finding in found.cases[0].findings if finding.check is Check.NOTHING_KEPT]
    assert (finding.threshold, finding.noise) == (0.1, 0.0)
    assert f"{2.9 * share:.3g} s repeated" in finding.sentence


class Kept(ScriptedEngine):
    """Gives the second generation of a process what it kept of the first."""

    kept: Generated | None = None

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        self.kept = self.kept or super().generate(job, recorder)
        return self.kept


def test_a_generation_that_is_kept_whole_fails_the_third_audit(quick, measured, engine, monkeypatch):
    monkeypatch.setattr("ltxbench.run.scripted.ScriptedEngine", Kept)
    found = audit(measured(FINE), engine=engine(FINE))
    assert answers(found)[Check.NOTHING_KEPT] is Answer.FAILED
    assert "a repetition leaves out" in sentence(found, Check.NOTHING_KEPT)


def test_frames_that_depend_on_the_step_timer_fail_the_fourth_audit(quick, measured, engine):
    script = FINE.model_copy(update={"picture": Picture.STEPPED})
    found = audit(measured(script, check=True), engine=engine(script))
    assert answers(found) == {
        Check.SAME_SEED: Answer.PASSED,
        Check.OTHER_SEED: Answer.PASSED,
        Check.NOTHING_KEPT: Answer.PASSED,
        Check.UNTOUCHED: Answer.FAILED,
    }
    assert "The timed round and the run's own check: the frames differ" in sentence(found, Check.UNTOUCHED)


def test_the_cheapest_case_is_audited_unless_others_are_named(quick, measured, engine):
    run = measured(FINE, CASES)
    assert [case.case for case in audit(run, engine=engine(FINE)).cases] == ["quick"]
    assert [case.case for case in audit(run, names=["slow"], engine=engine(FINE)).cases] == ["slow"]
    assert [case.case for case in audit(run, everything=True, engine=engine(FINE)).cases] == ["slow", "quick"]


def test_an_unknown_case_is_refused(quick, measured, engine):
    with pytest.raises(UsageError, match="no result of qick"):
        audit(measured(FINE), names=["qick"], engine=engine(FINE))


def test_a_run_of_another_version_is_not_compared_with_but_fresh_processes_are(quick, measured, engine):
    run = measured(FINE, ltxbench_version="0.0.1")
    found = audit(run, engine=engine(FINE.model_copy(update={"picture": Picture.UNSEEDED})))
    assert found.differences[0].startswith("ltxbench: was 0.0.1")
    assert answers(found)[Check.SAME_SEED] is Answer.PASSED
    assert "not compared with the run itself (ltxbench: was 0.0.1" in sentence(found, Check.SAME_SEED)


def test_what_cannot_be_run_again_could_not_be_tested(quick, measured, engine):
    failing = FINE.model_copy(update={"failure": Failure(kind=Fault.RAISE, phase=Phase.DECODE)})
    found = audit(measured(FINE), engine=engine(failing))
    assert answers(found) == dict.fromkeys(Check, Answer.UNTESTED)
    assert "scripted failure" in sentence(found, Check.OTHER_SEED)


def test_a_case_without_a_video_could_not_be_tested(quick, measured, engine):
    failing = FINE.model_copy(update={"failure": Failure(kind=Fault.RAISE, phase=Phase.DECODE)})
    found = audit(measured(failing), engine=engine(FINE))
    assert answers(found) == dict.fromkeys(Check, Answer.UNTESTED)
    assert "it ended as failed" in sentence(found, Check.SAME_SEED).lower()


def test_weights_that_are_not_here_are_no_failure(quick, measured):
    run = measured(FINE, weights={"kind": "/nowhere/weights", "synthetic": False})
    found = audit(run)
    assert answers(found) == dict.fromkeys(Check, Answer.UNTESTED)
    assert "no such folder of weights" in sentence(found, Check.SAME_SEED)


def test_an_engine_that_there_is_not_is_not_taken_for_the_real_one(measured):
    with pytest.raises(UsageError, match="no engine 'nosuch:Engine'"):
        audit(measured(FINE), engine="nosuch:Engine")


def test_imported_figures_cannot_be_audited(quick, measured, engine):
    run = measured(FINE, imported=Import(source="page.md", source_sha256="0" * 64))
    assert answers(audit(run, engine=engine(FINE))) == dict.fromkeys(Check, Answer.UNTESTED)


def test_the_command_runs_real_processes_and_ends_with_7_when_an_audit_fails(measured, engine):
    script = FINE.model_copy(update={"picture": Picture.UNSEEDED})
    run = measured(script)
    result = CliRunner().invoke(app, ["audit", str(run.path), "--engine", engine(script)])
    assert isinstance(result.exception, InvalidMeasurement)
    assert result.exception.exit_code == 7
    assert "another seed: failed" in result.output
    assert (run.path / AUDIT_FILE).is_file()


def test_the_command_ends_with_0_when_none_fails(quick, measured, engine):
    result = CliRunner().invoke(app, ["audit", str(measured(FINE).path), "--engine", engine(FINE)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "run": 3}', "[" * 10**5]
)
def test_a_torn_audit_is_refused(tmp_path, text):
    (tmp_path / AUDIT_FILE).write_text(text)
    with pytest.raises(ResultError):
        read_audit(tmp_path)


def test_a_run_that_was_never_audited_has_none(tmp_path):
    assert read_audit(tmp_path) is None
