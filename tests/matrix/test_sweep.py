from __future__ import annotations

import time

import pytest

from ltxbench.matrix.sweep import MAX_CASES
from tests.matrix.reading import HEAD, cases, complaint, matrix


def names(body: str) -> list[str]:
    return [case.name for case in cases(body)]


def test_axes_expand_to_their_product_and_names_are_made_from_the_values() -> None:
    body = """
cases:
- name: dev
  title: Dev
  model: dev
  sweep:
    width: [768, 1024]
    steps: [8, 40]
"""
    product = cases(body)
    assert [(case.name, case.width, case.steps) for case in product] == [
        ("dev-w768-steps8", 768, 8),
        ("dev-w768-steps40", 768, 40),
        ("dev-w1024-steps8", 1024, 8),
        ("dev-w1024-steps40", 1024, 40),
    ]
    assert product[0].title == "Dev, 768 px wide, 8 steps"
    assert {case.height for case in product} == {512}


def test_a_sweep_at_the_top_multiplies_the_defaults() -> None:
    body = "defaults: {seed: 3}\nsweep: {model: [distilled, dev], quantization: [bf16, qint8]}"
    assert names(body) == ["distilled-bf16", "distilled-qint8", "dev-bf16", "dev-qint8"]
    assert {case.seed for case in cases(body)} == {3}
    assert cases(body)[1].title == "distilled, qint8"


def test_cases_come_first_and_keep_their_order() -> None:
    assert names("sweep: {seed: [1]}\ncases: [{name: b}, {name: s, sweep: {seed: [9, 8]}}, {name: a}]") == [
        "b",
        "s-seed9",
        "s-seed8",
        "a",
        "seed1",
    ]


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        ("size: [768x512, 64x64]", ["768x512", "64x64"]),
        ("height: [64]", ["h64"]),
        ("frames: [1, 9]", ["frames1", "frames9"]),
        ("fps: [24]", ["fps24"]),
        ("guidance: [1, 3.5]", ["cfg1", "cfg3.5"]),
        ("two_stage: [false, true]", ["single-stage", "two-stage"]),
        ("distilled_lora: [false, true]", ["no-lora", "lora"]),
        ("quantization: [bf16, int4]", ["bf16", "int4"]),
        ("tiling: [official, none]", ["tiled", "untiled"]),
        ("schedule: [official, token-count]", ["official", "token-count"]),
    ],
)
def test_every_kind_of_value_makes_a_short_name(axis: str, labels: list[str]) -> None:
    assert names(f"cases: [{{name: a, model: dev, sweep: {{{axis}}}}}]") == [f"a-{label}" for label in labels]


def test_an_axis_of_an_own_name_sets_several_settings_at_once() -> None:
    body = """
sweep:
  recipe:
  - {label: fast, title: Fast, model: distilled}
  - {label: careful, model: dev, steps: 50, guidance: 4}
  seed: [1, 2]
"""
    product = cases(body)
    assert [case.name for case in product] == ["fast-seed1", "fast-seed2", "careful-seed1", "careful-seed2"]
    assert [case.title for case in product][::2] == ["Fast, seed 1", "careful, seed 1"]
    assert [case.steps for case in product] == [8, 8, 50, 50]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (
            "{stepz: [1, 2]}",
            "m.yaml:3:9: `stepz` is not a key of a sweep (did you mean steps?); allowed: distilled_lora",
        ),
        ("{steps: []}", "axis `steps` must be a list of values, such as [..], not an empty one"),
        ("{steps: 8}", "axis `steps` must be a list of values, such as [..], not the number 8"),
        ("{model: [dev], steps: [8, 0]}", "m.yaml:3:34: `steps` must be a whole number from 1 to 1000"),
        ("{seed: [1, 2, 1]}", "m.yaml:3:22: axis `seed` has seed1 twice"),
        ("{seed: [1], 'seed': [2]}", "m.yaml:3:20: `seed` is given twice"),
        ("{size: [64x64], width: [64]}", "m.yaml:3:24: axis `width` sets `width`, which axis `size` sets too"),
        ("{x: [{steps: 8}]}", "m.yaml:3:13: an axis value needs `label`"),
        ("{x: [{label: a, sweep: {}}]}", "`sweep` is not a key of an axis value"),
        ("{}", "m.yaml:3:8: `sweep` is empty; name a setting and its values, such as `steps: [20, 40]`"),
        ("[steps]", "m.yaml:3:8: `sweep` is a mapping of settings to lists of values, not a list"),
        ("{model: [dev], frames: [9, 10]}", "m.yaml:3:35: `frames` must be 8n+1"),
        ("{model: [distilled, dev], steps: [8, 9]}", "m.yaml:3:45: case `distilled-steps9`: `steps` must be 8, not 9"),
    ],
)
def test_a_wrong_sweep_is_refused(sweep: str, message: str) -> None:
    assert message in complaint(f"sweep: {sweep}")


def test_a_setting_cannot_be_fixed_and_swept() -> None:
    assert complaint("cases: [{name: a, seed: 1, sweep: {seed: [1, 2]}}]").endswith(
        "axis `seed` sets `seed`, which the case itself sets too"
    )


def test_a_name_that_a_sweep_makes_must_not_be_taken() -> None:
    assert "case `a-seed1`: line 3 has a case of that name already" in complaint(
        "cases: [{name: a-seed1}, {name: a, sweep: {seed: [1, 2]}}]"
    )


def test_a_name_that_becomes_too_long_is_refused() -> None:
    assert "it has 66 characters" in complaint(f"cases: [{{name: {'x' * 60}, sweep: {{seed: [1]}}}}]")


def axis(count: int) -> str:
    return ", ".join(map(str, range(count)))


def test_a_thousand_cases_are_loaded_within_half_a_second_of_work() -> None:
    body = f"defaults: {{model: dev, size: 64x64}}\nsweep: {{seed: [{axis(MAX_CASES)}]}}"
    start = time.process_time()
    result = matrix(HEAD + body)
    assert len(result.cases) == MAX_CASES
    assert time.process_time() - start < 0.5


def test_one_more_than_a_thousand_cases_is_refused() -> None:
    assert complaint(f"sweep: {{seed: [{axis(MAX_CASES)}]}}\ncases: [{{name: a}}]") == (
        "m.yaml:3:8: the file describes 1,001 cases; at most 1,000 are allowed"
    )


def test_an_exploding_product_is_refused_before_it_is_built() -> None:
    axes = "\n".join(f"  x{i}: [{', '.join(f'{{label: v{j}}}' for j in range(100))}]" for i in range(12))
    start = time.process_time()
    assert "the file describes 1,000,000,000,000,000,000,000,000 cases" in complaint(f"sweep:\n{axes}")
    assert time.process_time() - start < 1


def test_more_than_a_thousand_written_cases_are_refused() -> None:
    assert "`cases` has 1,001 items; at most 1,000 are allowed" in complaint(
        "cases: [" + ", ".join(f"{{name: c{i}}}" for i in range(1001)) + "]"
    )


def test_one_of_a_kind_is_singular_in_titles() -> None:
    result = matrix(HEAD + "defaults: {model: dev}\nsweep: {steps: [1, 21], frames: [1, 9]}")
    assert [case.title for case in result.cases] == [
        "1 step, 1 frame",
        "1 step, 9 frames",
        "21 steps, 1 frame",
        "21 steps, 9 frames",
    ]
