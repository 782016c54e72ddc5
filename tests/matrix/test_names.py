from __future__ import annotations

import pytest

from ltxbench.matrix.names import objection
from tests.matrix.reading import cases, complaint


@pytest.mark.parametrize(
    "name", ["a", "A", "7", "distilled-qint8", "a.b", "a_b", "v1.0-rc", "x" * 64, "console", "com", "com10", "nullable"]
)
def test_safe_names_are_accepted(name: str) -> None:
    assert objection(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "it is empty"),
        ("x" * 65, "it has 65 characters"),
        ("a/b", "not safe"), ("a\\b", "not safe"), ("..", "starts with '.'"), ("../a", "not safe"), ("a b", "not safe"),
        ("a:b", "not safe"), ("a*", "not safe"), ("a?", "not safe"), ('a"', "not safe"), ("a|b", "not safe"),
        ("a<b", "not safe"), ("a\n", "not safe"), ("a\0", "not safe"), ("é", "not safe"), ("ａ", "not safe"),
        ("$HOME", "not safe"), ("a;b", "not safe"), ("~", "not safe"), ("a\u202eb", "not safe"), ("a ", "not safe"),
        (".a", "starts with '.'"), ("-a", "starts with '-'"), ("_a", "starts with '_'"),
        ("a.", "ends with a dot"),
        ("con", "reserved on Windows"), ("NUL", "reserved"), ("Aux.mp4", "reserved"), ("com1", "reserved"),
        ("LPT9.a.b", "reserved"), ("prn", "reserved"),
    ],
)  # fmt: skip
def test_unsafe_names_are_refused_with_the_reason(name: str, why: str) -> None:
    assert why in (objection(name) or "accepted")


def test_a_reference_is_a_case_of_the_file() -> None:
    known = cases("defaults: {reference: best}\ncases: [{name: best}, {name: a}, {name: b, reference: null}]")
    assert [one.reference for one in known] == ["best", "best", None]
    told = complaint("defaults: {reference: bst}\ncases: [{name: best}, {name: a}]")
    assert told.startswith("m.yaml:3:23: `reference` names `bst`, and there is no such case (did you mean best?)")
    told = complaint("cases: [{name: best, reference: best}]")
    assert told.startswith("m.yaml:3:33: case `best`: a case cannot be the reference of itself")
