"""A comparison in words: its answer, what was measured, and the evidence."""

from __future__ import annotations

from ltxbench.statistics.compare import Answer, Comparison


def told(found: Comparison) -> str:
    """`5.2% slower (ratio 1.039 to 1.064, p 0.008)`, `same within 3% (...)`, or why there is no answer yet."""
    if found.answer is Answer.SAME:
        return f"same within {found.threshold:.0%} ({measured(found)})"
    if found.answer is not Answer.INCONCLUSIVE:
        assert found.ratio is not None
        change = found.ratio - 1
        return f"{abs(change):.1%} {found.answer.value} ({_evidence(found)})"
    assert found.reason is not None
    if found.rounds_needed is None:
        return f"{measured(found)}: {found.reason.value}, and more rounds will not settle it"
    more = f"{'at least' if found.p is None else 'about'} {found.rounds_needed} more of each needed"
    return f"{measured(found)}: {found.reason.value}, {more}"


def measured(found: Comparison) -> str:
    """`+5.2% measured (ratio 0.991 to 1.083, p 0.11)`: more is slower. No claim that the change is there."""
    if found.ratio is None:
        return "no ratio"
    evidence = _evidence(found)
    return f"{signed(found.ratio - 1)} measured" + (f" ({evidence})" if evidence else "")


def signed(change: float) -> str:
    """`−5.2%`, with the sign that pages write."""
    return f"{change:+.1%}".replace("-", "−")


def _evidence(found: Comparison) -> str:
    parts = []
    if found.low is not None and found.high is not None:
        parts.append(f"ratio {found.low:.3f} to {found.high:.3f}")
    if found.p_adjusted is not None:
        parts.append(f"p {found.p_adjusted:.2g}")
    return ", ".join(parts)
