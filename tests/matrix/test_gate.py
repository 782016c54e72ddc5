from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.errors import MatrixError
from ltxbench.matrix import load
from ltxbench.matrix.gate import DEFAULTS, Gate

HEAD = "matrix: m\nprompt: x\ncases: [{name: one}, {name: two-a}, {name: two-b}]\n"


def gate(tmp_path: Path, text: str) -> Gate:
    path = tmp_path / "m.yaml"
    path.write_text(HEAD + text)
    return load(path).gate


def test_without_a_word_the_defaults_hold(tmp_path: Path) -> None:
    assert gate(tmp_path, "").of("one") == DEFAULTS


def test_thresholds_are_given_for_all_by_pattern_and_by_case(tmp_path: Path) -> None:
    text = "gate: {time: 0.05, load: off, frames: 40, cases: {two-*: {time: 0.1}, two-b: {step: 0.2, frames: equal}}}\n"
    found = gate(tmp_path, text)
    one, a, b = (found.of(name) for name in ("one", "two-a", "two-b"))
    assert (one.generation, one.step, one.load, one.frames, one.memory) == (0.05, 0.05, "off", 40.0, DEFAULTS.memory)
    assert (a.generation, a.load, a.frames) == (0.1, 0.1, 40.0)
    assert (b.generation, b.step, b.frames) == (0.1, 0.2, "equal")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("gate: {stepp: 0.1}", 4, "did you mean step?"),
        ("gate:\n  time: 3%", 5, "a number from 0.001 to 1, or off"),
        ("gate: {time: 0}", 4, "a number from 0.001 to 1"),
        ("gate: {frames: equall}", 4, "did you mean equal?"),
        ("gate: {frames: 5}", 4, "10 to 100, or equal or off"),
        ("gate: {memory: true}", 4, "a number from 0 to 1"),
        ("gate: [1]", 4, "mapping"),
        ("gate:\n  cases:\n    twoo-a: {time: 0.1}", 6, "did you mean two-a?"),
        ("gate: {cases: [one]}", 4, "mapping of names to thresholds"),
        ("gate: {cases: {one: {time: 0.1}, one: {time: 0.2}}}", 4, "given twice"),
        ("gate: {cases: {one: {cases: {}}}}", 4, "not a key of a case's gate"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(MatrixError) as caught:
        gate(tmp_path, text)
    assert message in caught.value.message
    assert caught.value.line == line


def test_the_gate_decides_nothing_that_is_computed(tmp_path: Path) -> None:
    from ltxbench.run.identity import computed

    plain = load(_written(tmp_path, "")).cases[0]
    gated = load(_written(tmp_path, "gate: {time: 0.2}\n")).cases[0]
    assert computed(plain) == computed(gated)


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(HEAD + text)
    return path
