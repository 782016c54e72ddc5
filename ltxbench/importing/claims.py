"""Differences between cases that a page states in percent or as a factor, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ltxbench.importing.found import Found
from ltxbench.importing.page import Block, Page, Table
from ltxbench.importing.quantity import DURATION, SIZE, Quantity, duration, size
from ltxbench.importing.sides import Cases, by_figures, by_names, case_in

_MINUS = "−–-"
# Neither end of "10-20%", which is no one share.
_SHARE = re.compile(
    rf"(?:(?<!\d)(?<!\d\s)(?P<sign>[+{_MINUS}])\s*|(?<![\d.,{_MINUS}])(?<![{_MINUS}]\s))(?P<percent>\d{{1,4}}(?:[.,]\d+)?)\s*%"
    r"|(?<![\d.,])(?P<factor>\d{1,3}(?:[.,]\d+)?)\s*[x×](?=\W|$)(?!\s*\d)",
    re.IGNORECASE,
)
_DIFFERENCE = re.compile(r"difference|change|delta|Δ|diff\b|gain|saving", re.IGNORECASE)
_EACH = r"(?:\s*/\s*step|\s+(?:per|a|each)(?:\s+step)?)?"
_PAIR = re.compile(
    rf"({DURATION}|{SIZE}){_EACH}\s*(?:vs\.?|versus|against|instead of|compared (?:to|with)|down to|up to|to|->|→)\s*"
    rf"({DURATION}|{SIZE})",
    re.IGNORECASE,
)
_RATE = re.compile(r"\b(?:faster|slower|quicker|speed-?ups?|as fast)\b", re.IGNORECASE)
_LESS = re.compile(
    r"\b(?:faster|quicker|speed-?ups?|as fast|less|lower\w*|shorter|smaller|fewer|reduc\w+|sav\w+|cut\w*|down|drop\w*|"
    r"decreas\w+|shrink\w*)\b",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:slower|more|longer|higher|larger|bigger|increas\w+|up|grow\w*|rais\w+|ris\w+)\b", re.IGNORECASE
)
_UNIT = re.compile(r"\b(ms|s|sec|seconds|min|[KMGT]i?B)\b")

METRICS = (
    ("average", "average step", r"step|per-step|it/s"),
    (
        "mean",
        "mean memory while denoising",
        r"(?:mean|average|denois|during|inference).*(?:ram|memory)|(?:ram|memory).*(?:mean|average|denois|during|inference)",
    ),
    ("peak", "peak memory", r"peak"),
    ("mean", "mean memory while denoising", r"\bram\b|memory"),
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
    """-0.17 for "17% less" and for "17% faster per step"; -0.33 for "1.5x faster"."""
    values: tuple[Quantity, Quantity] | None
    """Old and new as printed beside it."""
    rate: bool = False
    """Says "faster", which may mean the time or the rate."""
    rounding: float = 0.005
    """By how much `share` may be off for its last digit."""


def find_claims(page: Page, cases: Sequence[Found]) -> list[Stated]:
    """From tables of two cases and a difference, then from sentences with a percentage or a factor."""
    tables = [claim for table in page.tables for claim in _from_table(table, cases)]
    pairs = list(dict.fromkeys((claim.old, claim.new) for claim in tables if claim.old and claim.new))
    told: list[Stated] = []
    for block in page.blocks:
        for claim in _from_block(block, cases, pairs):
            told.append(_as_in_table(claim, tables))
            if claim.old and claim.new and (claim.old, claim.new) not in pairs:
                pairs.append((claim.old, claim.new))
    return [*tables, *dict.fromkeys(told)]


def _as_in_table(claim: Stated, tables: Sequence[Stated]) -> Stated:
    """A sentence without figures that repeats a table's percentage speaks of the table's cases."""
    if claim.old is not None:
        return claim
    same = (row for row in tables if (row.figure, row.share) == (claim.figure, claim.share))
    row = next(same, None)
    return claim if row is None else replace(claim, old=row.old, new=row.new)


def _from_table(table: Table, cases: Sequence[Found]) -> Iterator[Stated]:
    sides = [(index, case) for index, title in enumerate(table.header) if (case := case_in(title, cases)) is not None]
    percents = [index for index, title in enumerate(table.header) if _DIFFERENCE.search(title)]
    if len(sides) != 2 or len(percents) != 1:
        return
    (old_at, old), (new_at, new) = sides
    for row in table.rows:
        if len(row) < len(table.header) or not (found := _SHARE.search(row[percents[0]])) or not found["percent"]:
            continue
        metric, unit = _metric(row[0]), _UNIT.search(row[0])
        before, after = (
            _quantity(row[at]) or _quantity(f"{row[at]} {unit[1]}" if unit else "") for at in (old_at, new_at)
        )
        if metric is None or before is None or after is None:
            continue
        size_of = float(found["percent"].replace(",", ".")) / 100
        less = found["sign"] in tuple(_MINUS) if found["sign"] else after.value < before.value
        turned = before.value != after.value and less != (after.value < before.value)
        yield Stated(
            text=f"{row[0]}: {row[old_at]}, {row[new_at]}, {row[percents[0]]}",
            figure=metric[0],
            what=metric[1],
            old=new if turned else old,
            new=old if turned else new,
            share=-size_of if less else size_of,
            values=(after, before) if turned else (before, after),
        )


def _from_block(block: Block, cases: Sequence[Found], pairs: Sequence[Cases]) -> Iterator[Stated]:
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z(])", block.text):
        shares = list(_SHARE.finditer(sentence))
        for index, share in enumerate(shares):
            start = shares[index - 1].end() if index else 0
            end = shares[index + 1].start() if index + 1 < len(shares) else len(sentence)
            claim = _told(sentence, share, sentence[start : share.start()], sentence[share.end() : end])
            if claim is not None:
                old, new = _sides(claim, sentence, block.section, cases, pairs)
                yield replace(claim, old=old, new=new)


def _told(sentence: str, share: re.Match[str], before: str, after: str) -> Stated | None:
    """`17% faster per step (8.3s vs 10.0s)`, `reduces mean RAM by 43% (15 GB vs 27 GB)`, `1.5x faster steps`.

    The words behind a share tell what it is of, then those of the clause before it.
    """
    near = (after.split("(")[0], re.split(r"[,;:(]", before)[-1], before[-80:])
    metric = next((found for words in near if (found := _metric(words))), None)
    less = -1 if share["sign"] and share["sign"] in _MINUS else 1 if share["sign"] else _direction(near)
    if metric is None or less == 0:
        return None
    pair = _PAIR.search(after) or _PAIR.search(before)
    values = (_quantity(pair[1]), _quantity(pair[2])) if pair else (None, None)
    both = (values[0], values[1]) if values[0] is not None and values[1] is not None else None
    if both is not None and (both[1].value < both[0].value) != (less < 0):
        both = both[1], both[0]
    rate = bool(_RATE.search(" ".join(near[:2])))
    changes = _changes(share, less=less < 0, rate=rate)
    if not changes:
        return None
    change, *ends = changes
    rounding = max(abs(end - change) for end in ends)
    return Stated(sentence.strip(), metric[0], metric[1], None, None, change, both, rate, rounding)


def _direction(near: Sequence[str]) -> int:
    """-1 for less, 1 for more; 0 where the words do not tell."""
    for words in near:
        less, more = _LESS.search(words), _MORE.search(words)
        if less or more:
            return 0 if less and more else -1 if less else 1
    return 0


def _changes(share: re.Match[str], *, less: bool, rate: bool) -> list[float]:
    """As a share of the old figure: as printed, and with the last digit half a step lower and higher."""
    text = (share["factor"] or share["percent"]).replace(",", ".")
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    values = [float(text) + offset for offset in (0.0, -half, half)]
    if share["factor"]:
        return [] if min(values) <= 1 else [1 / each - 1 if less else each - 1 for each in values]
    if less and values[0] >= 100:  # no time is shorter by all of itself: the rate is meant
        return [100 / (100 + each) - 1 for each in values] if rate else []
    return [each / 100 * (-1 if less else 1) for each in values]


def _sides(
    claim: Stated, sentence: str, section: str, cases: Sequence[Found], pairs: Sequence[Cases]
) -> Cases | tuple[None, None]:
    """Old and new: by the figures beside the claim, else by the names in its sentence."""
    if claim.values is not None:
        found = by_figures(claim.figure, claim.values, f"{sentence} {section}", cases, pairs)
        if found is not None:
            return found
    return by_names(sentence, cases) or (None, None)


def _metric(words: str) -> tuple[str, str] | None:
    return next(((figure, what) for figure, what, pattern in METRICS if re.search(pattern, words, re.IGNORECASE)), None)


def _quantity(text: str) -> Quantity | None:
    return duration(text) or size(text)
