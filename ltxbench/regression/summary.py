"""A verdict in Markdown, for the page of a job and for a comment."""

from __future__ import annotations

from ltxbench.regression.verdict import Answer, CaseVerdict, MetricVerdict, Verdict, gravest

SIGNS = {
    Answer.REGRESSED: "🔴",
    Answer.IMPROVED: "🟢",
    Answer.SAME: "⚪",
    Answer.INCONCLUSIVE: "🟡",
    Answer.NOT_COMPARABLE: "🔵",
    Answer.MISSING: "🔵",
}
MOST_CASES = 200


def headline(verdict: Verdict) -> str:
    """One line: what to know if nothing else is read."""
    if not verdict.judged:
        return f"Not judged, exit code {verdict.exit_code}"
    regressed = verdict.regressed
    if regressed:
        names = ", ".join(dict.fromkeys(name for name, _ in regressed))
        return f"REGRESSED: {names}"
    answers = [each.answer for case in verdict.cases for each in case.metrics if each.metric != "outcome"]
    worst = gravest(answers)
    suspected = [
        case.name
        for case in verdict.cases
        if any(each.suspected and each.answer is Answer.INCONCLUSIVE for each in case.metrics)
    ]
    if worst is Answer.NOT_COMPARABLE:
        return "Nothing regressed; not comparable with the baseline in full"
    if suspected and worst is Answer.INCONCLUSIVE:
        return f"Nothing regressed; suspected and not confirmed: {', '.join(suspected)}"
    if worst is Answer.MISSING:
        return "Nothing to compare with yet"
    return "Nothing regressed"


def markdown(verdict: Verdict) -> str:
    """Names and sentences come from files: nothing of them is markup."""
    title = f"{_plain(verdict.matrix)}: " if verdict.matrix else ""
    lines = [f"## {title}{_plain(headline(verdict))}", ""]
    if not verdict.judged:
        return "\n".join([*lines, f"Run {_code(verdict.run)}", "", *(f"> {_plain(note)}\n" for note in verdict.notes)])
    lines += [f"Run {_code(verdict.run)} against {len(verdict.baseline)} runs of the baseline.", ""]
    lines += [f"> {_plain(note)}\n" for note in verdict.notes]
    lines += ["| | case | what | |", "|---|---|---|---|"]
    for case in verdict.cases[:MOST_CASES]:
        lines += [_row(case, each) for each in _shown(case)]
    if len(verdict.cases) > MOST_CASES:
        lines.append(f"| | {len(verdict.cases) - MOST_CASES} more cases | | see verdict.json |")
    lines += ["", "<details><summary>Every figure</summary>", "", "| | case | what | |", "|---|---|---|---|"]
    lines += [_row(case, each) for case in verdict.cases[:MOST_CASES] for each in case.metrics]
    lines += ["", "</details>", ""]
    return "\n".join(lines)


def _shown(case: CaseVerdict) -> list[MetricVerdict]:
    """What changed or was suspected; for a case without either, the one line that stands for it."""
    told = [
        each
        for each in case.metrics
        if each.suspected or each.answer in (Answer.REGRESSED, Answer.IMPROVED, Answer.NOT_COMPARABLE)
    ]
    if told:
        return told
    times = [each for each in case.metrics if each.metric != "outcome"]
    return times[:1] or list(case.metrics[:1])


def _row(case: CaseVerdict, each: MetricVerdict) -> str:
    answer = f"{SIGNS[each.answer]} {each.answer.value}"
    return f"| {answer} | {_plain(case.name)} | {_plain(each.title)} | {_plain(each.sentence)} |"


def _plain(text: str) -> str:
    """One line that no Markdown or HTML comes out of."""
    flat = " ".join(text.split())
    for character in "\\`*_[]<>|#~$@":
        flat = flat.replace(character, f"&#{ord(character)};")
    return flat


def _code(text: str) -> str:
    return f"<code>{_plain(text)}</code>"
