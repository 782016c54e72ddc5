"""The examples in docs/matrix.md do what the text says."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

from ltxbench.matrix.schema import CASE, FILE, GATE
from tests.matrix.reading import HEAD, cases, matrix

PAGE = (Path(__file__).parents[2] / "docs" / "matrix.md").read_text()
WHOLE, PRESET, AXES, RECIPES, GATED = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_first_example_makes_the_cases_it_names() -> None:
    assert [case.name for case in matrix(WHOLE).cases] == ["distilled-bf16", "distilled-qint8", "distilled-int4", "dev"]


def test_the_preset_is_three_forwards_a_step() -> None:
    (case,) = cases("cases:\n- name: a\n" + indent(PRESET, "  "))
    assert case.stages[0].forwards == 3


def test_the_sweeps_make_the_cases_they_name() -> None:
    for case in matrix(HEAD + AXES).cases:
        assert f"`{case.name}`" in PAGE
    assert len(matrix(HEAD + RECIPES).cases) == 6


def test_the_gate_is_read() -> None:
    found = matrix(HEAD + "cases: [{name: distilled}, {name: dev-1024}]\n" + GATED).gate
    assert (found.of("distilled").generation, found.of("distilled").step) == (0.03, 0.05)
    assert (found.of("dev-1024").load, found.of("dev-1024").quality) == (0.08, "off")


def test_every_key_is_described() -> None:
    assert [key for key in (*FILE.keys, *CASE.keys, *GATE.keys) if f"`{key}`" not in PAGE] == []
