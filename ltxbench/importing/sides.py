"""Which two cases a claim compares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ltxbench.importing.found import Found
from ltxbench.importing.quantity import Quantity, duration, size

Cases = tuple[Found, Found]
"""Old and new."""

_REFERENCE = re.compile(r"#\s*(\d{1,3})")
_AGAINST = re.compile(
    r"\b(?:than|vs\.?|versus|compared (?:to|with)|relative to|against|over|instead of|from)\s+(?:the\s+|case\s+)*\W*$",
    re.IGNORECASE,
)


def by_figures(
    figure: str, values: tuple[Quantity, Quantity], words: str, cases: Sequence[Found], pairs: Sequence[Cases]
) -> Cases | None:
    """The cases that have these figures: a pair the page compares elsewhere, else the only ones of those named."""
    fitting = [[case for case in cases if _fits(case, figure, value)] for value in values]
    for old, new in pairs:
        if old in fitting[0] and new in fitting[1]:
            return old, new
    named = [case for _, case in _mentions(words, cases)]
    chosen = [[case for case in side if case in named] or side for side in fitting]
    if all(len(side) == 1 for side in chosen) and chosen[0] != chosen[1]:
        return chosen[0][0], chosen[1][0]
    return None


def by_names(sentence: str, cases: Sequence[Found]) -> Cases | None:
    """Of the two cases that a sentence names, the one behind "than", "vs" or "compared to" is the old one."""
    mentions = list(_mentions(sentence, cases))
    named = list(dict.fromkeys(case for _, case in mentions))
    against = list(dict.fromkeys(case for start, case in mentions if _AGAINST.search(sentence[:start])))
    if len(named) != 2 or len(against) != 1:
        return None
    return against[0], next(case for case in named if case is not against[0])


def case_in(title: str, cases: Sequence[Found]) -> Found | None:
    """The case that a column is of: by its number, else by its whole title."""
    if number := _REFERENCE.search(title):
        return next((case for case in cases if case.number == int(number[1])), None)
    return next((case for case in cases if case.title.casefold() == title.strip().casefold()), None)


def _mentions(words: str, cases: Sequence[Found]) -> Iterator[tuple[int, Found]]:
    """Where `#3`, or a case's title, stands; of titles that hold one another, the longest."""
    numbers = {case.number: case for case in cases}
    for match in _REFERENCE.finditer(words):
        if (case := numbers.get(int(match[1]))) is not None:
            yield match.start(), case
    titles = {case.title.casefold(): case for case in reversed(cases) if case.title.strip()}
    if titles:
        longest = sorted(titles, key=len, reverse=True)
        pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)"
        for match in re.finditer(pattern, words, re.IGNORECASE):
            if (case := titles.get(match.group().casefold())) is not None:
                yield match.start(), case


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
