from __future__ import annotations

import json
from pathlib import Path

import pytest

from ltxbench.errors import ResultError, UsageError
from ltxbench.quality import measure_run, of_run, read
from ltxbench.quality.records import METRICS_VERSION
from ltxbench.run import store
from tests.quality.runs import TWINS, scene, stored

OTHER = TWINS[0].model_copy(update={"name": "other", "seed": 43})


def path_of(run: store.RunFolder, name: str) -> Path:
    return run.case_folder(name) / "quality.json"


def test_a_quantized_case_is_compared_with_its_twin(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4)})
    found = measure_run(run)
    assert found["plain"].against == ()
    [against] = found["int8"].against
    assert (against.case, against.why) == ("plain", "bf16 twin")
    assert against.comparison is not None
    assert against.comparison.source == "lossless"
    assert read(path_of(run, "int8")) == found["int8"]
    assert of_run(run) == found


def test_twins_that_began_from_other_noise_are_not_compared(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4)}, noise={"int8": "cd" * 32})
    [against] = measure_run(run)["int8"].against
    assert against.comparison is None
    assert against.not_compared == "they began from different noise"


def test_a_twin_that_failed_is_said(tmp_path: Path) -> None:
    run = stored(tmp_path, {"int8": scene()})
    found = measure_run(run)
    assert list(found) == ["int8"]
    assert found["int8"].against[0].not_compared == "plain has no video"


def test_every_case_is_compared_with_a_reference(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4)})
    found = measure_run(run, ["int8"])
    assert [(one.case, one.why) for one in found["plain"].against] == [("int8", "reference case")]
    assert [one.case for one in found["int8"].against] == ["plain"]
    with pytest.raises(UsageError, match="no case 'nobody'"):
        measure_run(run, ["nobody"])


def test_the_matrix_may_name_the_reference(tmp_path: Path) -> None:
    cases = tuple(case.model_copy(update={"reference": "plain"}) for case in (*TWINS, OTHER))
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4), "other": scene(9)}, cases)
    found = measure_run(run)
    assert [(one.case, one.why) for one in found["other"].against] == [("plain", "reference case")]
    assert [(one.case, one.why) for one in found["int8"].against] == [("plain", "bf16 twin")]
    assert found["plain"].against == ()


def test_what_is_stored_and_true_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4)})
    first = measure_run(run)
    monkeypatch.setattr("ltxbench.quality.measure.assess", None)
    monkeypatch.setattr("ltxbench.quality.compare.compare_cases", None)
    told: list[str] = []
    assert measure_run(run, begins=told.append) == first
    assert told == []
    with pytest.raises(TypeError):
        measure_run(run, again=True)


@pytest.mark.parametrize(
    "change", [{"metrics_version": METRICS_VERSION - 1}, {"frames_sha256": "00" * 32}, {"quality": 1}]
)
def test_what_is_stale_or_torn_is_measured_again(tmp_path: Path, change: dict[str, object]) -> None:
    run = stored(tmp_path, {"plain": scene()})
    first = measure_run(run)
    path = path_of(run, "plain")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert measure_run(run) == first
    assert read(path) == first["plain"]


def test_stale_figures_are_not_shown(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene()})
    measure_run(run)
    path = path_of(run, "plain")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"frames_sha256": "00" * 32}))
    assert of_run(run) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "cannot be read"), ("[]", "not a record"), ('{"schema_version": 99}', "newer"), ("{}", "frames_sha256")],
)
def test_a_record_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "quality.json"
    path.write_text(text)
    with pytest.raises(ResultError, match=told):
        read(path)


def test_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        read(tmp_path / "quality.json")


def test_a_comparison_ages_with_its_reference(tmp_path: Path) -> None:
    run = stored(tmp_path / "a", {"plain": scene(), "int8": scene(4)})
    measure_run(run)
    later = stored(tmp_path / "b", {"plain": scene(7), "int8": scene(4)})
    path_of(later, "int8").write_bytes(path_of(run, "int8").read_bytes())
    assert measure_run(later)["int8"].against != read(path_of(run, "int8")).against
