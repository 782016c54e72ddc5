from __future__ import annotations

import pytest

from ltxbench.report import format as fmt


@pytest.mark.parametrize(
    ("value_s", "written"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (0.00042, "0.42 ms"),
        (0.0123, "0.0123 s"),
        (0.9996, "1.00 s"),
        (9.53, "9.53 s"),
        (9.996, "10.0 s"),
        (53.57, "53.6 s"),
        (99.94, "99.9 s"),
        (99.96, "1 m 40 s"),
        (113, "1 m 53 s"),
        (119.7, "2 m 00 s"),
        (3599.6, "1 h 00 m"),
        (7512, "2 h 05 m"),
        (-2.5, "−2.50 s"),
    ],
)
def test_seconds_have_three_digits_then_minutes_then_hours(value_s: float | None, written: str) -> None:
    assert fmt.seconds(value_s) == written


@pytest.mark.parametrize(
    ("value", "written"), [(None, "–"), (0.4121, "0.412"), (9.5, "9.50"), (99.96, "100"), (1234.5, "1,234")]
)
def test_columns_of_seconds_are_without_unit(value: float | None, written: str) -> None:
    assert fmt.plain_seconds(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (0, "0.000 GiB"),
        (220_000_000, "0.205 GiB"),
        (2**30, "1.00 GiB"),
        (10 * 2**30, "10.0 GiB"),
        (52.44 * 2**30, "52.4 GiB"),
    ],
)
def test_a_gib_is_two_to_the_thirty(value: float | None, written: str) -> None:
    assert fmt.gib(value) == written


@pytest.mark.parametrize(
    ("new", "old", "written"),
    [
        (15, 27, "−44%"),
        (27.1, 27, "+0.4%"),
        (1, 1, "0%"),
        (1.00001, 1, "0%"),
        (None, 1, "–"),
        (1, None, "–"),
        (1, 0, "–"),
    ],
)
def test_a_change_has_its_sign(new: float | None, old: float | None, written: str) -> None:
    assert fmt.change(new, old) == written


@pytest.mark.parametrize(
    ("numbers", "written"),
    [([], ""), ([3], "#3"), ([2, 1], "#1 and #2"), ([1, 2, 3, 7, 9, 10], "#1–#3, #7, #9 and #10")],
)
def test_cases_are_listed_in_ranges(numbers: list[int], written: str) -> None:
    assert fmt.cases(numbers) == written


@pytest.mark.parametrize(("value", "written"), [(500, "1 KiB"), (830_000, "811 KiB"), (3_500_000, "3.3 MiB")])
def test_a_files_size_is_binary(value: int, written: str) -> None:
    assert fmt.size(value) == written


@pytest.mark.parametrize(("value", "written"), [(1, "1.0"), (4.0, "4.0"), (0.7, "0.7"), (1.25, "1.25")])
def test_a_setting_is_written_as_in_the_matrix(value: float, written: str) -> None:
    assert fmt.number(value) == written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (41.1e12, "TFLOP", "41.1"),
        (176.55e12, "TFLOP", "177"),
        (3025.4e12, "TFLOP", "3,025"),
        (0.8547e12, "TFLOP", "0.855"),
        (1.9e9, "GFLOP", "1.90"),
        (0, "TFLOP", "0"),
        (None, "TFLOP", "–"),
    ],
)
def test_arithmetic_has_three_digits(value: float | None, unit: str, text: str) -> None:
    assert fmt.plain_flops(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"), [(727e12, "727 TFLOP/s"), (146.2e9, "146 GFLOP/s"), (5e5, "0.500 MFLOP/s"), (None, "–")]
)
def test_a_rate_names_the_largest_unit_it_has_one_of(value: float | None, text: str) -> None:
    assert fmt.flops_rate(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.807, "81%"), (0.0744, "7.4%"), (0.0997, "10%"), (1.04, "104%")])
def test_a_share_is_a_percentage(value: float, text: str) -> None:
    assert fmt.percent(value) == text
