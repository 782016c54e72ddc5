"""Where a source's figures disagree with each other, and what they leave open, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum

from ltxbench.importing.found import Found
from ltxbench.importing.quantity import Quantity, duration, size
from ltxbench.importing.rounds import approximate, generation_s
from ltxbench.matrix.case import Case

UNEVEN = 2.0  # text encodings of one encoder and one length of text that differ by more hold different work
TABLE_SLACK = 0.02


def label(found: Found) -> str:
    return f"#{found.number} {found.title}"


def case_notes(found: Found, case: Case) -> Iterator[str]:
    """Of one case, each beginning with its number and title."""
    for clause in (*_steps(found, case), *_sums(found), *_total(found), *_counts(found, case)):
        yield f"{label(found)}: {clause}."


def _steps(found: Found, case: Case) -> Iterator[str]:
    profile, asked = found.profile, sum(stage.steps for stage in case.stages)
    stated = len(profile.steps)
    if found.ending is None and stated < asked and not profile.empty:
        shared = ", ".join(
            f"{part.first} to {part.last} share one figure ({part.each} each)" for part in profile.ranges
        )
        clause = f"{stated or 'none'} of {asked} steps {'is' if stated <= 1 else 'are'} stated one by one"
        yield f"{clause}; steps {shared}" if shared else clause
    if about := approximate(found):
        yield f"given as approximate by the source itself: {', '.join(about)}"


def _sums(found: Found) -> Iterator[str]:
    profile, denoising, average = found.profile, found.profile.get("denoising"), found.profile.get("average")
    count = profile.step_count
    if denoising is not None and count and len(profile.steps) == count:
        steps = list(profile.steps.values())
        total = fsum(step.value for step in steps)
        if not _agree(denoising, total, fsum(step.rounding for step in steps)):
            yield f"its steps add up to {total:.1f} s, denoising is given as {denoising}"
    if denoising is not None and average is not None and count:
        mean = denoising.value / count
        if not _agree(average, mean, denoising.rounding / count):
            yield f"{denoising} for {count} steps is {mean:.1f} s a step, the average is given as {average}"


def _total(found: Found) -> Iterator[str]:
    profile, total = found.profile, found.profile.get("total")
    names = ("encoding", "denoising", "decoding")
    parts = [part for name in names if (part := profile.get(name)) is not None]
    if total is not None and parts:
        added, slack = fsum(part.value for part in parts), fsum(part.rounding for part in parts)
        if "encoding" not in profile.figures:
            if generation_s(found) is None:
                yield (
                    f"no text encoding is stated and the total {total} holds none, so this is no generation time; it "
                    "stands only as published"
                )
            else:
                yield (
                    f"no text encoding is stated; the total {total} holds {total.value - added:.0f} s beside denoising "
                    "and decoding"
                )
        elif not _agree(total, added, slack):
            yield f"its parts add up to {added:.1f} s, the total is given as {total}"
    time = duration(found.summary.get("time", ""))
    if (
        time is not None
        and total is not None
        and abs(time.value - total.value) > max(time.rounding + total.rounding, TABLE_SLACK * total.value)
    ):
        yield f"the table gives {time}, the profile's total is {total}: the two hold different work"


def _counts(found: Found, case: Case) -> Iterator[str]:
    asked, count = sum(stage.steps for stage in case.stages), found.profile.step_count
    if count is not None and count != asked:
        yield f"{count} steps were profiled, its settings ask for {asked}"
    if found.settings.others:
        yield f"it was run with {', '.join(found.settings.others)}, which has no counterpart here"


def _agree(stated: Quantity, computed: float, slack: float) -> bool:
    room = stated.rounding + slack + 1e-6
    return abs(stated.value - computed) <= (max(room, TABLE_SLACK * abs(computed)) if stated.approximate else room)


def common_notes(cases: Sequence[Found]) -> Iterator[str]:
    """Of all cases together."""
    encodings = {found: seconds for found in cases if (seconds := found.profile.seconds("encoding"))}
    if encodings and max(encodings.values()) > UNEVEN * min(encodings.values()):
        slow, fast = max(encodings, key=encodings.__getitem__), min(encodings, key=encodings.__getitem__)
        yield (
            f"Text encoding takes from {fast.profile.get('encoding')} (#{fast.number}) to "
            f"{slow.profile.get('encoding')} (#{slow.number}) with the same encoder: what it holds differs, so totals "
            "are not comparable throughout."
        )
    times = [found for found in cases if duration(found.summary.get("time", "")) and found.profile.get("total")]
    differing = [found for found in times if any("hold different work" in clause for clause in _total(found))]
    if differing and len(differing) < len(times):
        same = [found for found in times if found not in differing]
        yield (
            f"The table's times are of two kinds: the profile's total for {_numbers(same)}, another figure for "
            f"{_numbers(differing)}."
        )
    yield from _units(cases)


def _units(cases: Sequence[Found]) -> Iterator[str]:
    """The program's MB are 2^20 bytes; what a table's GB are shows where both stand side by side."""
    by_unit: dict[str, list[Found]] = {"2^30 bytes": [], "1,000 MB": []}
    for found in cases:
        table, printed = size(found.summary.get("peak memory", "")), found.profile.get("peak")
        if table is None or printed is None or not table.text.endswith("GB"):
            continue
        gib, thousands = printed.value / (1 << 30), printed.value / (1 << 20) / 1000
        stated, rounding = table.value / (1 << 30), table.rounding / (1 << 30)
        fits = [abs(stated - gib) <= rounding, abs(stated - thousands) <= rounding]
        if fits[0] != fits[1]:
            by_unit["2^30 bytes" if fits[0] else "1,000 MB"].append(found)
    if all(by_unit.values()):
        yield (
            f"A GB of the table's peaks is 2^30 bytes for {_numbers(by_unit['2^30 bytes'])} and 1,000 of the program's "
            f"MB for {_numbers(by_unit['1,000 MB'])}; memory here is taken from the profiles."
        )
    unprofiled = [found for found in cases if found.profile.get("peak") is None and found.summary.get("peak memory")]
    if unprofiled:
        yield (
            f"Memory of {_numbers(unprofiled)} is only in the table; its unit is not defined there and was read as "
            "GB = 2^30 bytes."
        )


def _numbers(cases: Sequence[Found]) -> str:
    words = [f"#{found.number}" for found in cases]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
