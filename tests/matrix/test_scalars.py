from __future__ import annotations

import math

import pytest

from ltxbench.matrix.nodes import Scalar
from ltxbench.matrix.problems import Mark, Mistake
from ltxbench.matrix.scalars import resolve

AT = Mark(1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("nUll", "nUll"),
        ("true", True), ("False", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("y", "y"),
        ("0", 0), ("42", 42), ("-7", -7), ("+7", 7), ("0x1F", 31), ("0o17", 15),
        ("1:30", "1:30"), ("1_000", "1_000"), ("2024-01-01", "2024-01-01"), ("0b11", "0b11"), ("٣", "٣"),
        ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-1E-2", -0.01), ("1.e3", 1000.0),
        (".inf", math.inf), ("-.Inf", -math.inf), ("1e999", math.inf), ("inf", "inf"), ("nan", "nan"), (".", "."),
        ("0.5", 0.5), ("-0", 0), ("1.2.3", "1.2.3"), ("=", "="),
    ],
)  # fmt: skip
def test_plain_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    result = resolve(Scalar(AT, text, plain=True))
    assert result == value
    assert type(result) is type(value)


def test_not_a_number_is_one() -> None:
    result = resolve(Scalar(AT, ".nan", plain=True))
    assert isinstance(result, float)
    assert math.isnan(result)


@pytest.mark.parametrize("text", ["42", "true", "", "null", "042"])
def test_a_quoted_word_is_text(text: str) -> None:
    assert resolve(Scalar(AT, text, plain=False)) == text


@pytest.mark.parametrize(
    ("text", "decimal"), [("042", "42"), ("-007", "-7"), ("00", "0"), ("01.5", "1.5"), ("09", "9")]
)
def test_a_leading_zero_is_refused_with_the_decimal_to_write(text: str, decimal: str) -> None:
    with pytest.raises(Mistake, match=f"some YAML readers take for octal; write {decimal}, or quote it"):
        resolve(Scalar(AT, text, plain=True))


@pytest.mark.parametrize("text", ["9" * 5000, "1." + "0" * 5000, "0x" + "f" * 5000])
def test_absurdly_long_numbers_are_refused(text: str) -> None:
    with pytest.raises(Mistake, match=r"is a number of 5,00\d characters"):
        resolve(Scalar(AT, text, plain=True))


@pytest.mark.parametrize("text", ["a\0", "\x1b[31m", "\ud800", "a\rb", "\x7f", "\x9b"])
def test_escaped_control_characters_are_refused(text: str) -> None:
    with pytest.raises(Mistake, match="holds the control character U"):
        resolve(Scalar(AT, text, plain=False))
