"""Whatever the text: a matrix, or a MatrixError with a printable message. Nothing else, and soon."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.errors import MatrixError
from ltxbench.matrix import nodes
from ltxbench.matrix.case import Matrix
from ltxbench.matrix.reader import read
from ltxbench.matrix.schema import CASE, FILE
from ltxbench.matrix.source import Source, decode

PATH = Path("m.yaml")
VALID = (Path(__file__).parents[2] / "matrices" / "smoke.yaml").read_text()

WORDS = st.sampled_from(
    ["", "~", "true", "no", "042", "1e3", ".nan", "1:30", "0x1f", "9" * 50, "dev", "distilled", "stage-2", "768x512",
     "qint8", "a", "con", "../x", '"\\0"', '"\\ud800"', "'x'", "[]", "{}", "[1, 2]", "[a, a]", "&a x", "*a", "!!str x",
     "<<", "|\n  text", "25", "24", "8", "0", "-1", "1.5", "{label: x}", "[{label: x, steps: 8}]", "\t", "é🦫"]
)  # fmt: skip
KEYS = st.sampled_from([*CASE.keys, *FILE.keys, "label", "<<", "", "x", "42", "[a]", "base", "axes"])
SCALARS = st.one_of(WORDS, st.text(max_size=8))


def flow(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    entries = st.lists(st.tuples(KEYS, children), max_size=5)
    return st.one_of(
        st.lists(children, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        entries.map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"),
    )


VALUES = st.recursive(SCALARS, flow, max_leaves=8)
FILES = st.lists(st.tuples(KEYS, VALUES), max_size=8).map(
    lambda pairs: "matrix: m\nprompt: p\n" + "".join(f"{key}: {value}\n" for key, value in pairs)
)
CASES = st.lists(st.tuples(st.sampled_from(list(CASE.keys)), VALUES), max_size=8).map(
    lambda pairs: "matrix: m\nprompt: p\ncases:\n- name: a\n" + "".join(f"  {key}: {value}\n" for key, value in pairs)
)


@pytest.fixture(autouse=True, params=["libyaml", "python"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.setattr(nodes, "Parser", yaml.SafeLoader)


def outcome(data: bytes) -> Matrix | None:
    try:
        return read(Source(PATH, decode(data, PATH), "0" * 64))
    except MatrixError as error:
        message = error.message
    assert message.startswith("m.yaml:")
    assert all(line.isprintable() for line in message.splitlines())
    return None


def fuzzed(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return strategy.map(lambda text: text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("strategy", [FILES, CASES, st.text(max_size=60)], ids=["files", "cases", "texts"])
def test_no_text_ends_in_anything_but_a_matrix_or_a_message(strategy: st.SearchStrategy[str]) -> None:
    @settings(max_examples=40, deadline=None)
    @given(fuzzed(strategy))
    def check(data: bytes) -> None:
        outcome(data)

    check()


def test_no_bytes_end_in_anything_but_a_matrix_or_a_message() -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.binary(max_size=60))
    def check(data: bytes) -> None:
        outcome(data)

    check()


def test_no_damage_to_a_good_file_ends_in_anything_but_a_matrix_or_a_message() -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, len(VALID)), st.integers(0, 40), SCALARS)
    def check(start: int, length: int, patch: str) -> None:
        outcome((VALID[:start] + patch + VALID[start + length :]).encode("utf-8", "surrogatepass"))

    check()


def test_what_was_read_survives_being_stored() -> None:
    matrix = outcome(VALID.encode())
    assert matrix is not None
    assert Matrix.model_validate_json(matrix.model_dump_json()) == matrix
