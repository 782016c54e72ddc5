"""Files made to crash, to hang, to fill the memory or to reach the terminal. Each of these once did, or could have."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ltxbench.errors import MatrixError
from ltxbench.matrix.problems import MAX_FOUND
from ltxbench.matrix.reader import read
from ltxbench.matrix.schema import MAX_BODY, MAX_PROMPT, MAX_TITLE, MAX_WORDS
from ltxbench.matrix.source import Source
from tests.matrix.reading import HEAD, case, complaint, complaints, matrix


def test_a_product_with_more_digits_than_python_writes_is_refused() -> None:
    axes = "".join(f"  a{i}: [{{label: a}}, {{label: b}}, {{label: c}}]\n" for i in range(9080))
    assert complaint(f"sweep:\n{axes}").endswith("the file describes about 10^4332 cases; at most 1,000 are allowed")


def test_reading_gives_up_after_a_hundred_mistakes() -> None:
    start = time.process_time()
    lines = complaints(HEAD + "cases:\n- name: a\n" + "".join(f"  stepz{i}: 1\n" for i in range(5000)))
    assert lines[-1] == f"and at least {MAX_FOUND - 20} more"
    assert time.process_time() - start < 2


def test_mistakes_of_many_cases_count_together() -> None:
    cases = ", ".join(f"{{name: a{i}, stepz: 1, sede: 1}}" for i in range(1000))
    assert complaints(f"{HEAD}cases: [{cases}]")[-1] == f"and at least {MAX_FOUND - 20} more"


@pytest.mark.parametrize("tag", ["!%1B%5B31m", "!<%1B%5B31m>", "!<%E2%80%AE>"])
@pytest.mark.parametrize("value", ["x", "[x]", "{x: y}"])
def test_a_tag_cannot_write_to_the_terminal(tag: str, value: str) -> None:
    assert complaint(f"x: {tag} {value}").isprintable()


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ("title: {}\ncases: [{{name: a}}]", MAX_TITLE),
        ("negative_prompt: {}\ncases: [{{name: a}}]", MAX_PROMPT),
        ("enhanced: {}\ncases: [{{name: a}}]", MAX_PROMPT),
        ("sections: [{{title: t, body: {}}}]\ncases: [{{name: a}}]", MAX_BODY),
        ("sections: [{{title: {}, body: b}}]\ncases: [{{name: a}}]", MAX_TITLE),
        ("groups: [{{name: g, title: {}}}]\ncases: [{{name: a}}]", MAX_TITLE),
        ("cases: [{{name: a, title: {}}}]", MAX_TITLE),
        ("cases: [{{name: a, summary: {}}}]", MAX_WORDS),
        ("cases: [{{name: a, warning: {}}}]", MAX_WORDS),
        ("cases: [{{name: a, notes: [{}]}}]", MAX_WORDS),
        ("sweep: {{x: [{{label: a, title: {}}}]}}", MAX_TITLE),
    ],
)
def test_texts_are_capped_since_a_sweep_repeats_them(body: str, most: int) -> None:
    matrix(HEAD + body.format("t" * most))
    assert f"has {most + 1:,} characters; at most {most:,} are allowed" in complaint(body.format("t" * (most + 1)))


@pytest.mark.parametrize("suffix", ["bin", "pt", "pth", "ckpt", "pkl", "PT"])
def test_a_lora_that_is_a_pickle_by_its_name_is_refused_where_it_is_written(suffix: str) -> None:
    for entry in (f"x.{suffix}", f"{{path: x.{suffix}, strength: 0.5}}"):
        message = complaint(f"cases: [{{name: a, loras: [{entry}]}}]")
        assert message.startswith("m.yaml:3:")
        assert "a pickle, which can run code; give safetensors" in message


@pytest.mark.parametrize("path", ["../loras/a.safetensors", "/models/a.safetensors", "blobs/0123456789abcdef"])
def test_a_lora_may_lie_anywhere_and_names_no_output(path: str) -> None:
    one = case(f"loras: ['{path}']")
    assert one.loras[0].path == path
    assert (one.name, one.title) == ("a", "a")


@pytest.mark.parametrize(
    "name",
    ["con", "AUX.1", "a.", "a b", "a/b", "..", "é", "e\u0301", "ａ", "а", "a\u202eb", "ﬀ", "ı", "a\\b", "-rf"],
)
def test_a_name_that_some_file_system_takes_for_another_is_no_name(name: str) -> None:
    assert "`name` must not be" in complaint(f"cases: [{{name: '{name}'}}]")


def test_blanks_around_a_name_are_dropped() -> None:
    assert matrix(f"{HEAD}cases: [{{name: ' a '}}]").cases[0].name == "a"


def test_names_that_macos_and_windows_take_for_one_are_refused() -> None:
    assert "has a case of the name `Dev` already" in complaint("cases: [{name: Dev}, {name: dEV}]")
    assert "`groups` has `G` twice" in complaint(
        "groups: [{name: g, title: t}, {name: G, title: t}]\ncases: [{name: a}]"
    )
    assert "case `a-SEED1`: line 3 has a case of the name `a-seed1` already" in complaint(
        "cases: [{name: a, sweep: {seed: [1]}}, {name: a-SEED1}]"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("seed: 042", "some YAML readers take for octal"),
        ("two_stage: no", "YAML 1.2 has no other words"),
        ("steps: 1:30", "must be a whole number"),
        ("steps: 1e3", "must be a whole number"),
        ("steps: 8.0", "must be a whole number"),
        ("steps: '8'", "must be a whole number"),
        ("seed: 1_000", "must be a whole number"),
        ("seed: 2024-01-01", "must be a whole number"),
        ("guidance: .nan", "must be a number from 1 to 100"),
        ("guidance: .inf", "must be a number from 1 to 100"),
        ("guidance: 1e999", "must be a number from 1 to 100"),
        (f"seed: {2**63}", "must be a whole number"),
        (f"seed: {'9' * 4000}", "is a number of 4,000 characters"),
        ("title: 1e3", "put it in quotes if it is meant as text"),
        ("title: true", "put it in quotes if it is meant as text"),
        ('title: "\\u0000"', "holds the control character U+0000"),
        ('title: "\\x9b31m"', "holds the control character U+009B"),
        ('title: "a\\Lb"', "must be one line"),
        ('title: "\\ud83e"', "not YAML: found invalid Unicode character escape code"),
    ],
)
def test_a_value_means_what_it_says_or_is_refused_with_its_place(settings: str, message: str) -> None:
    text = f"{HEAD}cases: [{{name: a, {settings}}}]"
    (line,) = complaints(text)
    assert line.startswith("m.yaml:3:")
    assert message in line


PROMPTS = ["🦫" * 3, "نص عربي", "e\u0301", "\u202eabc", "a\u200db", "\U000e0041", "\uffff", "<script>", "$(rm -rf /)"]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_may_hold_any_unicode_and_survives_being_stored(prompt: str) -> None:
    escaped = prompt.encode("unicode_escape").decode()
    read_back = matrix(f'matrix: m\nprompt: "{escaped}"\ncases: [{{name: a}}]')
    assert read_back.prompt == prompt
    assert type(read_back).model_validate_json(read_back.model_dump_json()) == read_back


def test_every_message_of_the_parser_has_a_place() -> None:
    for text in ("a: [", 'a: "\\q"', "a:\n\t- 1", "%FOO x\n---\na: 1", '"', "|", "a: b: c", "- a\nb: c", "\u00a0: :"):
        with pytest.raises(MatrixError) as caught:
            read(Source(Path("m.yaml"), text, "0" * 64))
        assert caught.value.line is not None
        assert caught.value.column is not None
