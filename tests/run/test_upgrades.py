"""Records of every schema that there was are read; tests/fixtures/run_v1 was written by the first, cut to one case."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ltxbench.errors import ResultError
from ltxbench.run import store
from ltxbench.run.records import SCHEMA_VERSION, Outcome
from ltxbench.run.upgrades import STEPS, upgrade

V1 = Path(__file__).parents[1] / "fixtures" / "run_v1"


@pytest.fixture
def old(tmp_path) -> Path:
    shutil.copytree(V1, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_of_the_first_schema_is_read_as_one_round_without_what_was_not_recorded_then(old):
    run = store.load(old)
    (record,) = run.cases
    assert (record.round, record.outcome, record.schema_version) == (1, Outcome.OK, SCHEMA_VERSION)
    assert record.times.generation_s == pytest.approx(json.loads((old / RECORD).read_text())["times"]["generation_s"])
    assert record.cold_steps == ()
    assert record.identity is record.energy is record.before is None
    assert run.record.schedule.repeats == 1
    assert run.video_path("distilled").parent == old / "cases" / "distilled"
    assert run.lossless_path("distilled") is None
    assert "device_bytes" not in run.memory_series("distilled").columns


RECORD = "cases/distilled/record.json"


def test_reading_an_old_run_changes_none_of_its_files(old):
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    store.load(old)
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before


def test_there_is_a_step_from_every_older_schema():
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))


def test_steps_are_applied_one_after_the_other_from_the_records_own_schema(monkeypatch):
    applied = []
    monkeypatch.setattr("ltxbench.run.upgrades.SCHEMA_VERSION", 4)
    for version in (1, 2, 3):
        monkeypatch.setitem(STEPS, version, lambda stored, version=version: applied.append(version))
    stored = {"schema_version": 2}
    upgrade(stored)
    assert applied == [2, 3]
    assert stored["schema_version"] == 4


@pytest.mark.parametrize("name", ["run.json", RECORD])
def test_a_newer_schema_is_refused_with_what_to_do(old, name):
    stored = json.loads((old / name).read_text())
    (old / name).write_text(json.dumps({**stored, "schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(ResultError, match=f"written with schema {SCHEMA_VERSION + 1}") as told:
        store.load(old)
    assert "Update" in told.value.hint
