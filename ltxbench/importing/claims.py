"""Differences between cases that a page states in percent: found, worked out again, and held against its own data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ltxbench.importing.found import Found
from ltxbench.importing.page import Page
from ltxbench.importing.quantity import DURATION, SIZE, Quantity, duration, size

_REFERENCE = re.compile(r"#\s*(\d{1,3})")
_PERCENT = re.compile(r"([+\-−–]?)\s*(\d{1,4}(?:\.\d+)?)\s*%")
_DIFFERENCE = re.compile(r"difference|change|delta|Δ|diff\b|gain|saving", re.IGNORECASE)
_PAIR = re.compile(
    rf"\(\s*({DURATION}|{SIZE})\s*(?:vs\.?|versus|against|instead of|->|→)\s*({DURATION}|{SIZE})[^)]*\)", re.IGNORECASE
)
_LESS = re.compile(r"\b(?:faster|less|lower|smaller|fewer|reduc\w+|sav\w+|cut\w*|down)\b", re.IGNORECASE)
_MORE = re.compile(r"\b(?:slower|more|higher|larger|bigger|increas\w+|up)\b", re.IGNORECASE)

METRICS = (
    ("average", "average step", r"step|per-step|it/s"),
    (
        "mean",
        "mean memory while denoising",
        r"(?:mean|average|denois|during|inference).*(?:ram|memory)|(?:ram|memory).*(?:mean|average|denois|during|inference)",
    ),
    ("peak", "peak memory", r"peak"),
    ("mean", "mean memory while denoising", r"ram|memory"),
    ("total", "pipeline total", r"total|pipeline|time|generation|overall"),
)
"""Figure of the profile, its name in words, and how a claim speaks of it; the first that fits counts."""


@dataclass(frozen=True)
class Stated:
    """A claim as it stands on the page."""

    text: str
    figure: str
    what: str
    old: Found | None
    new: Found | None
    share: float
    """-0.17 for "17% less" and for "17% faster per step"."""
    values: tuple[Quantity, Quantity] | None
    """Old and new as printed beside it."""


def find_claims(page: Page, cases: Sequence[Found]) -> list[Stated]:
    """From tables of two cases and a difference, then from sentences with a percentage and two figures."""
    by_number = {found.number: found for found in cases}
    tables = list(_from_tables(page, by_number))
    pairs = list(dict.fromkeys((claim.old.number, claim.new.number) for claim in tables if claim.old and claim.new))
    told = list(dict.fromkeys(_from_sentences(page, by_number, pairs)))
    return [*tables, *(_as_in_table(claim, tables) for claim in told)]


def _as_in_table(claim: Stated, tables: Sequence[Stated]) -> Stated:
    """A sentence without figures that repeats a table's percentage speaks of the table's cases."""
    if claim.old is not None:
        return claim
    same = (row for row in tables if (row.figure, row.share) == (claim.figure, claim.share))
    row = next(same, None)
    return claim if row is None else replace(claim, old=row.old, new=row.new)


def _from_tables(page: Page, cases: dict[int, Found]) -> Iterator[Stated]:
    for table in page.tables:
        sides = [
            (index, int(match[1])) for index, title in enumerate(table.header) if (match := _REFERENCE.search(title))
        ]
        percents = [index for index, title in enumerate(table.header) if _DIFFERENCE.search(title)]
        if len(sides) != 2 or len(percents) != 1 or not all(number in cases for _, number in sides):
            continue
        (old_at, old), (new_at, new) = sides
        for row in table.rows:
            if len(row) < len(table.header) or not (percent := _PERCENT.search(row[percents[0]])):
                continue
            metric = _metric(row[0])
            before, after = _quantity(row[old_at]), _quantity(row[new_at])
            if metric is None or before is None or after is None:
                continue
            sign = -1 if percent[1] in ("-", "−", "–") else 1
            yield Stated(
                text=f"{row[0]}: {row[old_at]}, {row[new_at]}, {row[percents[0]]}",
                figure=metric[0],
                what=metric[1],
                old=cases[old],
                new=cases[new],
                share=sign * float(percent[2]) / 100,
                values=(before, after),
            )


def _from_sentences(page: Page, cases: dict[int, Found], pairs: list[tuple[int, int]]) -> Iterator[Stated]:
    for block in page.blocks:
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z(])", block.text):
            percents = list(_PERCENT.finditer(sentence))
            for index, percent in enumerate(percents):
                end = percents[index + 1].start() if index + 1 < len(percents) else len(sentence)
                start = percents[index - 1].end() if index else 0
                claim = _sentence(
                    sentence,
                    percent,
                    sentence[percent.start() : end],
                    sentence[start : percent.end()],
                    block.section,
                    cases,
                    pairs,
                )
                if claim is not None:
                    yield claim


def _sentence(
    sentence: str,
    percent: re.Match[str],
    after: str,
    before: str,
    section: str,
    cases: dict[int, Found],
    pairs: list[tuple[int, int]],
) -> Stated | None:
    """`17% faster per step (8.3s vs 10.0s)`, `reduces mean RAM by 43% (15 GB vs 27 GB)`: new figure first."""
    near = before[-80:] + after[len(percent.group()) :].split("(")[0]
    less, more = _LESS.search(near), _MORE.search(near)
    metric = _metric(near)
    if metric is None or (less is None) == (more is None):
        return None
    pair = _PAIR.search(after)
    values = (_quantity(pair[2]), _quantity(pair[1])) if pair else None
    both = (values[0], values[1]) if values and values[0] is not None and values[1] is not None else None
    if both is not None and (both[1].value < both[0].value) != (less is not None):
        both = both[1], both[0]
    old, new = _sides(metric[0], both, f"{sentence} {section}", cases, pairs)
    share = float(percent[2]) / 100
    return Stated(sentence.strip(), metric[0], metric[1], old, new, -share if less else share, both)


def _sides(
    figure: str,
    values: tuple[Quantity, Quantity] | None,
    words: str,
    cases: dict[int, Found],
    pairs: list[tuple[int, int]],
) -> tuple[Found | None, Found | None]:
    """The two cases: those of a table of the page if their figures fit, else the only ones that do."""
    if values is None:
        return None, None
    fitting = [{number for number, found in cases.items() if _fits(found, figure, value)} for value in values]
    for old, new in pairs:
        if old in fitting[0] and new in fitting[1]:
            return cases[old], cases[new]
    named = {int(number) for number in _REFERENCE.findall(words)} & cases.keys()
    chosen = [side & named or side for side in fitting]
    if all(len(side) == 1 for side in chosen) and chosen[0] != chosen[1]:
        return cases[chosen[0].pop()], cases[chosen[1].pop()]
    return None, None


def _fits(found: Found, figure: str, printed: Quantity) -> bool:
    candidates = [found.profile.get(figure)]
    if figure in ("peak", "mean"):
        candidates.append(size(found.summary.get(f"{figure} memory", "")))
    elif figure == "total":
        candidates.append(duration(found.summary.get("time", "")))
    return any(
        known is not None and abs(known.value - printed.value) <= known.rounding + printed.rounding
        for known in candidates
    )


def _metric(words: str) -> tuple[str, str] | None:
    return next(((figure, what) for figure, what, pattern in METRICS if re.search(pattern, words, re.IGNORECASE)), None)


def _quantity(text: str) -> Quantity | None:
    return duration(text) or size(text)
