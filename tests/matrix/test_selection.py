from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ltxbench.errors import UsageError
from ltxbench.matrix import find, reproduce_command, select, twin
from tests.matrix.reading import HEAD, cases, matrix

SEEDS = matrix(HEAD + "cases: [{name: b}, {name: a}]\nsweep: {seed: [1, 2]}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("beaver-dam.yaml", "smoke.yaml", "other.yml", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_name_is_found_in_the_folder(folder: Path) -> None:
    assert find("smoke", folder) == folder / "smoke.yaml"
    assert find("other", folder) == folder / "other.yml"


def test_a_path_is_taken_as_it_is(folder: Path) -> None:
    assert find(str(folder / "smoke.yaml"), Path("elsewhere")) == folder / "smoke.yaml"


def test_an_unknown_name_is_refused_with_the_nearest_and_all_others(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find("beverdam", folder)
    assert caught.value.message == f"there is no matrix `beverdam` in {folder}/ (did you mean beaver-dam?)"
    assert caught.value.hint == f"Matrices in {folder}/: beaver-dam, other, smoke."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", ".", "..", "../none.yaml", "none.yaml", "\x1b[31m"])
def test_names_of_nothing_are_refused(name: str, folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(name, folder)
    assert caught.value.message.isprintable()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find("smoke", tmp_path / "none")
    assert caught.value.hint == f"There are no matrices in {tmp_path / 'none'}/."


def test_without_names_all_cases_are_selected() -> None:
    assert select(SEEDS, []) == SEEDS.cases


def test_named_cases_come_in_the_order_asked_for_and_once() -> None:
    assert [case.name for case in select(SEEDS, ["a", "b", "a"])] == ["a", "b"]


def test_a_pattern_selects_every_name_that_fits() -> None:
    assert [case.name for case in select(SEEDS, ["seed*", "a"])] == ["seed1", "seed2", "a"]


def test_an_unknown_case_is_refused_with_the_nearest_and_all_others() -> None:
    with pytest.raises(UsageError) as caught:
        select(SEEDS, ["sed1"])
    assert caught.value.message == "matrix m has no case `sed1` (did you mean seed1?)"
    assert caught.value.hint == "Its cases: b, a, seed1, seed2."


def test_the_twin_of_a_quantized_case_differs_in_nothing_else() -> None:
    other, plain, quantized, blocks = cases(
        "cases: [{name: o, seed: 1}, {name: p}, {name: q, title: Q, quantization: qint8},"
        " {name: b, quantization: int4, quantized_layers: blocks}]"
    )
    assert twin(quantized, (other, plain, quantized, blocks)) == plain
    assert twin(blocks, (other, plain, quantized, blocks)) == plain
    assert twin(quantized, (other, quantized)) is None
    assert twin(plain, (other, plain, quantized)) is None


def test_the_command_runs_one_case_of_the_named_matrix() -> None:
    shipped = SEEDS.model_copy(update={"source": "matrices/smoke.yaml"})
    assert reproduce_command(shipped, shipped.cases[0], "tiny") == "ltxbench bench smoke --case b --weights tiny"


def test_the_command_quotes_what_a_shell_would_act_on() -> None:
    odd = SEEDS.model_copy(update={"source": "my runs/$(x).yaml"})
    command = reproduce_command(odd, odd.cases[0], "a folder/it's")
    assert shlex.split(command) == [
        *("ltxbench", "bench", "my runs/$(x).yaml", "--case", "b", "--weights", "a folder/it's"),
    ]
