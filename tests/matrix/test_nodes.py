"""Each test runs on libyaml's parser and on PyYAML's own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from ltxbench.errors import MatrixError
from ltxbench.matrix import nodes
from ltxbench.matrix.nodes import MAX_DEPTH, MAX_NODES, Mapping, Scalar, Sequence, parse
from ltxbench.matrix.problems import Mark

PARSERS = [yaml.SafeLoader] + ([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])


@pytest.fixture(autouse=True, params=PARSERS, ids=lambda parser: parser.__name__)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "Parser", request.param)


def refused(text: str) -> str:
    with pytest.raises(MatrixError) as caught:
        parse(text, Path("m.yaml"))
    return caught.value.message


def test_nodes_know_their_place_in_characters() -> None:
    tree = parse('é: [é, "x"]', Path("m.yaml"))
    assert tree == Mapping(
        Mark(1, 1),
        (
            (
                Scalar(Mark(1, 1), "é", plain=True),
                Sequence(Mark(1, 4), (Scalar(Mark(1, 5), "é", plain=True), Scalar(Mark(1, 8), "x", plain=False))),
            ),
        ),
    )


def test_duplicate_keys_are_kept_for_the_reader_to_report() -> None:
    tree = parse("a: 1\na: 2\n", Path("m.yaml"))
    assert isinstance(tree, Mapping)
    assert [key.at for key, _ in tree.entries] == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.yaml:1:1: the file is empty"),
        ("# only a remark\n", "the file is empty"),
        ("a: &x 1", "m.yaml:1:4: anchors (`&x`) are not allowed; write the value out"),
        ("a: &x [1]", "m.yaml:1:4: anchors (`&x`) are not allowed; write the value out"),
        ("a: *x", "m.yaml:1:4: aliases (`*x`) are not allowed; write the value out"),
        ("a: !!python/object/apply:os.system [ls]", "m.yaml:1:4: tags (`tag:yaml.org,2002:python/object/apply:os"),
        ("a: !x 1", "m.yaml:1:4: tags (`!x`) are not allowed"),
        ("a: ! 1", "m.yaml:1:4: tags (`!`) are not allowed"),
        ("a: {<<: {b: 1}}", "m.yaml:1:5: merge keys (`<<`) are not allowed; put shared settings under `defaults`"),
        ("a: 1\n---\nb: 2\n", "m.yaml:2:1: a second document starts here; a matrix file holds one"),
        ("%YAML 1.1\n---\na: 1", "m.yaml:1:1: the only directive a matrix file may hold is `%YAML 1.2`"),
        ("%TAG ! tag:x,2000:\n---\na: 1", "m.yaml:1:1: the only directive a matrix file may hold is `%YAML 1.2`"),
        ("? [a]\n: 1", "m.yaml:1:3: a key is one word, not a list or a mapping"),
        ("a: [1, 2\n", "(while parsing a flow sequence that starts in line 1)"),
        ("a: b: c", "m.yaml:1:5: not YAML: mapping values are not allowed"),
        ("a:\n\t- 1", "m.yaml:2:1: not YAML: found character"),
        ('a: "\\q"', "m.yaml:1:"),
        ('a: "\\UFFFFFFFF"', "not YAML:"),
        (f"%YAML 1.{'9' * 5000}\n---\na: 1", "m.yaml"),
    ],
)
def test_what_a_matrix_file_may_not_hold_is_refused(text: str, message: str) -> None:
    assert message in refused(text)


def test_a_directive_for_yaml_1_2_is_accepted() -> None:
    assert isinstance(parse("%YAML 1.2\n---\na: 1\n", Path("m.yaml")), Mapping)


def test_tabs_get_a_hint() -> None:
    with pytest.raises(MatrixError) as caught:
        parse("a:\n\t- 1", Path("m.yaml"))
    assert caught.value.hint == "Indent with spaces, not tabs."


def test_an_alias_bomb_ends_at_its_first_anchor() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{other}'] * 9)}]\n" for other, name in pairwise("abcdefg")
    )
    assert refused(bomb) == "m.yaml:1:4: anchors (`&a`) are not allowed; write the value out"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_before_it_is_built(opening: str) -> None:
    assert f"nested more than {MAX_DEPTH} deep" in refused(opening * 5000)


def test_nesting_up_to_the_limit_is_read() -> None:
    parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, Path("m.yaml"))


def test_more_values_than_any_matrix_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_NODES", 100)
    assert refused("[" + "1," * 100 + "]").endswith("the file holds more than 100 values")
    assert MAX_NODES > 2 * 23 * 1000, "1,000 cases that give every key must fit"
