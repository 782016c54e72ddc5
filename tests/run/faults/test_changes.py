"""A resumed run is the same run: what has changed since is said by name, and never mixed in."""

from __future__ import annotations

import json
import shutil

import pytest

from ltxbench.errors import ResultError, UsageError
from ltxbench.run import identity, runner
from ltxbench.run.records import SCHEMA_VERSION
from ltxbench.run.script import CaseScript, Failure, Fault, Script
from tests.run.faults.conftest import Bench, all_files, finished, outcomes, two_cases

HALF = Script(cases={"b": CaseScript(failure=Failure(kind=Fault.RAISE))})


@pytest.fixture(scope="module")
def half_disk(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("half"), two_cases())
    bench.run(HALF)
    return bench.folder / "disk"


@pytest.fixture
def half(bench, half_disk):
    """A run whose second case failed."""
    shutil.copytree(half_disk, bench.folder / "disk", dirs_exist_ok=True)
    return bench


def with_case(bench, name: str, **changes):
    cases = tuple(case.model_copy(update=changes) if case.name == name else case for case in bench.matrix.cases)
    bench.matrix = bench.matrix.model_copy(update={"cases": cases})


def test_a_changed_case_is_refused_by_name_and_field_and_nothing_is_touched(half):
    before = all_files(half.path)
    with_case(half, "a", steps=2)
    with pytest.raises(ResultError, match=r"case a steps: was 3, is 2") as told:
        half.resume()
    assert "--rerun-changed" in told.value.hint
    assert all_files(half.path) == before


def test_a_changed_case_is_run_again_on_request_and_its_old_result_kept_aside(half):
    old = (half.path / "cases" / "a" / "round-1" / "record.json").read_bytes()
    with_case(half, "a", steps=2)
    run = half.resume(rerun_changed=True)
    assert outcomes(run) == {"a/1": "ok", "b/1": "ok"}
    assert len(run.records[0].steps) == 2
    assert (half.path / "superseded" / "a" / "round-1-1" / "record.json").read_bytes() == old
    assert half.stored().record.matrix.cases[0].steps == 2


def test_an_unchanged_case_is_kept_when_another_one_is_run_again(half):
    kept = finished(half.path)
    with_case(half, "b", steps=2)
    run = half.resume(rerun_changed=True)
    assert half.listener.started == [("b", 1)]
    assert kept.items() <= finished(run.path).items()


def test_other_words_for_the_same_case_change_nothing(half):
    with_case(half, "a", title="Another title", notes=("A note.",))
    run = half.resume()
    assert half.listener.started == [("b", 1)]
    assert run.records[0].case.title == "A"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"prompt": "Another prompt."}, "prompt: was A beaver., is Another prompt."),
        ({"negative_prompt": "blurry"}, "negative prompt"),
        ({"enhance": True}, "enhance: was False, is True"),
    ],
)
def test_another_text_is_refused(half, change, told):
    half.matrix = half.matrix.model_copy(update=change)
    with pytest.raises(ResultError, match=told):
        half.resume()


def test_other_code_is_refused(half, monkeypatch):
    monkeypatch.setattr(runner, "code_sha256", lambda: "0" * 64)
    with pytest.raises(ResultError, match=r"code: was [0-9a-f]{60}"):
        half.resume()


def test_other_weights_are_refused(half, monkeypatch):
    work = half.work

    def other(script):
        from dataclasses import replace

        return replace(work(script), weights_digest="f" * 64)

    monkeypatch.setattr(half, "work", other)
    with pytest.raises(ResultError, match="weights: was none, is ffff"):
        half.resume()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"packages": {"mlx": "9.9"}}, "package mlx: was .*, is 9.9"),
        ({"chip": "Another chip"}, "chip: was .*, is Another chip"),
        ({"os": "Another system"}, "operating system: "),
        ({"environment": {"MLX_X": "1"}}, "variable MLX_X: was absent, is 1"),
    ],
)
def test_another_machine_is_refused(half, monkeypatch, change, told):
    describe = runner.describe_machine
    monkeypatch.setattr(runner, "describe_machine", lambda name: describe(name).model_copy(update=change))
    with pytest.raises(ResultError, match=told):
        half.resume()


def test_other_cases_than_the_runs_own_are_refused(half, monkeypatch):
    work = half.work

    def other(script):
        from dataclasses import replace

        return replace(work(script), cases=half.matrix.cases[:1])

    monkeypatch.setattr(half, "work", other)
    with pytest.raises(UsageError, match="the run is of the cases a, b, asked for are a"):
        half.resume()


def test_a_run_that_a_later_version_took_up_is_refused_and_stays_as_it_is(half):
    file = half.path / "run.json"
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "schema_version": SCHEMA_VERSION + 1, "new_field": 1}))
    before = all_files(half.path)
    with pytest.raises(ResultError, match=f"written with schema {SCHEMA_VERSION + 1}"):
        half.resume()
    assert all_files(half.path) == before


def test_there_is_nothing_to_resume_where_there_is_no_run(bench):
    with pytest.raises(ResultError, match="no run to resume"):
        bench.resume()
    with pytest.raises(ResultError, match="no run 'x'"):
        bench.resume(which="x")


def test_a_folder_in_which_nothing_was_written_is_not_the_latest_run(half):
    (half.root / "small" / "99991231T235959Z-0000" / "cases").mkdir(parents=True)
    assert outcomes(half.resume()) == {"a/1": "ok", "b/1": "ok"}


def test_every_part_of_the_identity_counts(half):
    record = half.stored().record
    case = record.matrix.cases[0]
    this = identity.identity(record, case)
    others = {
        identity.identity(record, case.model_copy(update={"seed": 1})),
        identity.identity(record, case.model_copy(update={"name": "other"})),
        *(
            identity.identity(record.model_copy(update=change), case)
            for change in (
                {"code_sha256": "0"},
                {"ltxbench_version": "0"},
                {"conditioning_sha256": "0"},
                {"weights": record.weights.model_copy(update={"digest": "0"})},
                {"machine": record.machine.model_copy(update={"packages": {"mlx": "0"}})},
                {"machine": record.machine.model_copy(update={"accelerator": "GPU"})},
                {"matrix": record.matrix.model_copy(update={"negative_prompt": "0"})},
                {"engine": "mlx"},
            )
        ),
    }
    assert this not in others
    assert len(others) == 10
    assert identity.identity(record, case.model_copy(update={"title": "Other words"})) == this


def test_the_code_is_that_of_a_cases_process(tmp_path, monkeypatch):
    import ltxbench

    (tmp_path / "run").mkdir()
    (tmp_path / "report").mkdir()
    (tmp_path / "run" / "a.py").write_text("1")
    for name in ("errors.py", "frozen.py", "regular.py"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(ltxbench, "__file__", str(tmp_path / "__init__.py"))
    hashes = []
    for path, text in (("report/b.py", "x"), ("run/a.py", "2"), ("run/c.py", "")):
        hashes.append(identity.code_sha256.__wrapped__())
        (tmp_path / path).write_text(text)
    hashes.append(identity.code_sha256.__wrapped__())
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
