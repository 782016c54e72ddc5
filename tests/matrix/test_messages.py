"""What a user reads. Bodies start in line 3."""

from __future__ import annotations

import pytest

from ltxbench.errors import MatrixError
from tests.matrix.reading import HEAD, cases, complaint, complaints, matrix

CASE_KEYS = (
    "distilled_lora, fps, frames, group, guidance, height, lora_strength, loras, model, name, notes, quantization, "
    "quantized_layers, reference, rescale, schedule, seed, size, steps, stg, stg_blocks, summary, sweep, tiling, "
    "title, two_stage, upscale_adain, warning, width"
)


def test_an_unknown_key_is_refused_with_a_suggestion_and_the_allowed_keys() -> None:
    assert complaint("cases:\n- name: a\n  stpes: 8\n") == (
        f"m.yaml:5:3: `stpes` is not a key of a case (did you mean steps?); allowed: {CASE_KEYS}"
    )


def test_an_unknown_key_near_nothing_has_no_suggestion() -> None:
    assert "`zzz` is not a key of a case; allowed: " in complaint("cases: [{name: a, zzz: 8}]")


@pytest.mark.parametrize(
    ("wrong", "right"), [("two-stage", "two_stage"), ("Width", "width"), ("distiled_lora", "dist")]
)
def test_suggestions_see_through_hyphens_case_and_typing(wrong: str, right: str) -> None:
    assert f"(did you mean {right}" in complaint(f"cases: [{{name: a, {wrong}: 8}}]")


def test_unknown_keys_are_found_in_every_part_of_the_file() -> None:
    body = (
        "titel: x\ngroups: [{name: g, title: G, colour: red}]\nsections: [{title: t, body: b, text: x}]\n"
        "defaults: {name: x}\ncases: [{name: a, loras: [{path: p, weight: 1}]}]\n"
    )
    assert [line.split(" (")[0].split(";")[0] for line in complaints(HEAD + body)] == [
        "m.yaml:3:1: `titel` is not a key of a matrix file",
        "m.yaml:4:30: `colour` is not a key of a group",
        "m.yaml:5:32: `text` is not a key of a section",
        "m.yaml:6:12: `name` is not a key of `defaults`",
        "m.yaml:7:37: `loras` has a wrong entry: `weight` is not a key of a LoRA",
    ]


def test_a_duplicate_key_is_refused_with_the_line_of_the_first() -> None:
    assert complaint("cases:\n- name: a\n  steps: 8\n  'steps': 9\n") == (
        "m.yaml:6:3: `steps` is given twice, first in line 5"
    )


def test_all_independent_mistakes_are_shown_in_the_order_of_the_file() -> None:
    body = (
        "cases:\n"
        "- {name: a, frames: 24}\n"
        "- {name: b, width: 770, model: distiled}\n"
        "- {name: c, two_stage: true, size: 96x64}\n"
    )
    with pytest.raises(MatrixError) as caught:
        matrix(HEAD + body)
    assert caught.value.message == (
        "m.yaml:4:21: `frames` must be 8n+1 (1, 9, 17, 25 and so on), not 24; the nearest are 17 and 25\n"
        "m.yaml:5:20: `width` must be divisible by 32, not 770; the nearest are 768 and 800\n"
        "m.yaml:5:32: `model` must be distilled or dev, not `distiled` (did you mean distilled?)\n"
        "m.yaml:6:36: case `c`: `width` must be divisible by 64 with `two_stage: true`, since stage 1 runs at half "
        "of it, not 96; the nearest are 64 and 128"
    )
    assert (caught.value.line, caught.value.column) == (4, 21)


def test_only_the_first_twenty_mistakes_are_listed() -> None:
    lines = complaints(HEAD + "cases:\n" + "".join(f"- {{name: c{i}, steps: 0}}\n" for i in range(30)))
    assert len(lines) == 21
    assert lines[-1] == "and 10 more"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "frames: 0",
            "`frames` must be a whole number from 1 to 2049, 8n+1 (1, 9, 17, 25 and so on), not the number 0",
        ),
        ("frames: 2048", "`frames` must be 8n+1 (1, 9, 17, 25 and so on), not 2048; the nearest are 2041 and 2049"),
        ("frames: 25.0", "not the number 25.0"),
        ("frames: 1000000000", "`frames` must be a whole number from 1 to 2049"),
        ("width: 0", "`width` must be a whole number from 32 to 8192, divisible by 32, not the number 0"),
        ("height: -32", "not the number -32"),
        ("size: 768", "`size` must be WIDTHxHEIGHT, such as 768x512, not the number 768"),
        ("size: 0x512", "`size` must be WIDTHxHEIGHT, such as 768x512, not the number 0x512"),
        ("size: 16x512", "`size` has a width that must be a whole number from 32 to 8192, divisible by 32"),
        ("steps: 0", "`steps` must be a whole number from 1 to 1000, not the number 0"),
        ("steps: true", "`steps` must be a whole number from 1 to 1000, not true"),
        ("steps: 1_0", "not `1_0`"),
        ("steps: 1:30", "not `1:30`"),
        ("steps: 1e1", "not the number 1e1"),
        ("steps: [8]", "not a list"),
        ("steps: {}", "not a mapping"),
        ("steps: ''", "not empty text"),
        ("steps: null", "not null"),
        ("steps: ", "`steps` has no value; it must be a whole number from 1 to 1000"),
        ("seed: 042", "`seed` is `042`, which some YAML readers take for octal; write 42, or quote it if it is a word"),
        ("seed: -1", "`seed` must be a whole number from 0 to 9223372036854775807, not the number -1"),
        ("guidance: 0.5", "`guidance` must be a number from 1 to 100, not the number 0.5"),
        ("guidance: .nan", "not the number .nan"),
        ("guidance: .inf", "not the number .inf"),
        ("guidance: 1e999", "not the number 1e999"),
        ("guidance: strong", "not `strong`"),
        ("rescale: 1.1", "`rescale` must be a number from 0 to 1, not the number 1.1"),
        ("two_stage: yes", "`two_stage` must be true or false, not `yes`; YAML 1.2 has no other words for them"),
        ("two_stage: 1", "`two_stage` must be true or false, not the number 1"),
        ("distilled_lora: all", "`distilled_lora` must be true, false or stage-2, not `all`"),
        ("distilled_lora: stage_2", "(did you mean stage-2?)"),
        ("quantization: int8", "`quantization` must be bf16, qint8 or int4, not `int8` (did you mean qint8?)"),
        ("tiling: auto", "`tiling` must be official or none, not `auto`"),
        ("schedule: 5", "`schedule` must be official, time-shifted or token-count, not the number 5"),
        ("fps: 23.976", "`fps` must be a whole number from 1 to 240, not the number 23.976"),
        ("title: 42", "`title` must be text, not the number 42; put it in quotes if it is meant as text"),
        ('title: "a\\nb"', "`title` must be one line"),
        ('title: "a\\eb"', "`title` holds the control character U+001B"),
        ("title: ' '", "`title` is empty"),
        ("notes: x", "`notes` must be a list, such as [..], not `x`"),
        ("stg_blocks: [1, 1]", "`stg_blocks` holds 1 twice"),
        ("loras: [{strength: 1}]", "`loras` has a wrong entry: a LoRA needs `path`"),
        ("size: 64x64, width: 64", "`width` is given beside `size`, which sets it too"),
        ("group: g", "case `a`: there is no group `g`; declare it under `groups`"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(setting: str, message: str) -> None:
    assert message in complaint(f"cases: [{{name: a, {setting}}}]")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "m.yaml:1:1: there is nothing to run; give `cases`, or a `sweep`"),
        ("cases: []", "there is nothing to run"),
        ("cases: a", "m.yaml:3:8: `cases` is a list, each item behind a `-`, not `a`"),
        ("cases: [a]", "m.yaml:3:9: a case is a mapping of keys to values, not `a`"),
        ("cases: [{title: A}]", "m.yaml:3:9: a case needs `name`"),
        ("cases: [{name: ../a}]", "m.yaml:3:16: `name` must not be `../a`: it holds a character that is not safe"),
        ("cases: [{name: ''}]", "m.yaml:3:16: `name` must be given: it is empty"),
        ("cases: [{name: nul}]", "m.yaml:3:16: `name` must not be `nul`: it is reserved on Windows (NUL)"),
        ("cases: [{name: a}, {name: a}]", "m.yaml:3:20: case `a`: line 3 has a case of that name already"),
        ("cases: [{name: a}, {name: A}]", "m.yaml:3:20: case `A`: line 3 has a case of the name `a` already"),
        ("cases: [{name: a}]\ngroups: [{name: g}]", "m.yaml:4:10: a group needs `title`"),
        (
            "cases: [{name: a, group: b}]\ngroups: [{name: bb, title: B}]",
            "m.yaml:3:26: case `a`: there is no group `b` (did you mean bb?); allowed: bb",
        ),
        (
            "cases: [{name: a}]\ngroups: [{name: g, title: G}, {name: G, title: H}]",
            "m.yaml:4:9: `groups` has `G` twice",
        ),
        ("cases: [{name: a}]\nstills: [25]", "m.yaml:4:9: `stills` names frame 25, and case `a` has frames 0 to 24"),
        ("cases: [{name: a}]\nstills: 12", "m.yaml:4:9: `stills` must be a list, such as [..], not the number 12"),
        ("cases: [{name: a}]\nenhanced: x\nenhance: false", "m.yaml:4:11: `enhanced` would never be used"),
        ("cases: [{name: a}]\ntitle:", "`title` has no value; it must be text"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(body: str, message: str) -> None:
    assert message in complaint(body)


def test_a_matrix_needs_a_name_and_a_prompt() -> None:
    assert complaints("cases: [{name: a}]") == [
        "m.yaml:1:1: a matrix file needs `matrix`",
        "m.yaml:1:1: a matrix file needs `prompt`",
    ]


@pytest.mark.parametrize("key", ["cases", "groups", "defaults", "sweep", "sections"])
@pytest.mark.parametrize("value", ["042", '"\\e[31m"', "9" * 5000, "", "null"])
def test_a_bad_scalar_in_the_place_of_a_list_or_mapping_is_refused(key: str, value: str) -> None:
    assert f"`{key}`" in "".join(complaints(f"{HEAD}{key}: {value}\n"))


@pytest.mark.parametrize("text", ["- a", "word", "42", "'quoted'"])
def test_the_file_is_a_mapping(text: str) -> None:
    assert complaints(text)[0].startswith("m.yaml:1:1: a matrix file is a mapping of keys to values, not ")


def test_a_broken_case_does_not_hide_what_is_wrong_in_another() -> None:
    lines = complaints(HEAD + "cases:\n- {name: a, stpes: 8}\n- {name: b, steps: 7}\n")
    assert [line.split(":")[1] for line in lines] == ["4", "5"]


def test_a_broken_group_is_not_reported_again_by_its_cases() -> None:
    assert "a group needs `title`" in complaint("cases: [{name: a, group: g}]\ngroups: [{name: g}]")


def test_a_quoted_value_is_shortened_and_shown_harmlessly() -> None:
    message = complaint(f'cases: [{{name: a, model: "{"x" * 500}\\u202e"}}]')
    assert "x" * 59 + "…`" in message
    assert "\\u202e" in complaint('cases: [{name: a, model: "x\\u202e"}]')


def test_prompts_may_hold_any_unicode() -> None:
    prompt = "河狸 🦫 بناء سد — «café» e\u0301 \U0001f468\u200d\U0001f469 | $(rm) `x` <b>&amp;</b>"
    assert matrix(f"matrix: m\nprompt: '{prompt}'\ncases: [{{name: a}}]").prompt == prompt


def test_null_undoes_a_default() -> None:
    only = cases("defaults: {summary: s, group: null}\ncases: [{name: a, summary: null}]")[0]
    assert (only.summary, only.group) == (None, None)
