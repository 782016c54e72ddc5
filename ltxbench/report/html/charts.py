"""The plots as Vega-Lite specifications, written with Altair. They name their data; the page's own rows fill them.

Every chart has the parameter `highlight`: the number of the case that is pointed at anywhere on the page, or 0.
Field names are those of static/js/plots.js, which makes the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ltxbench.report.figures import PHASE_TITLES
from ltxbench.report.format import GIB
from ltxbench.report.measured import Measured
from ltxbench.report.plots.style import PHASE_COLOURS
from ltxbench.run.records import Phase

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.Chart | alt.LayerChart | alt.FacetChart

LOG_FROM = 6.0
"""An axis whose largest value is so many times its smallest is logarithmic."""
FADED = 0.14
UNCOLOURED = "#A0A0A0"


WHOLE = "datum.value % 1 ? '' : format(datum.value, 'd')"
"""Of a few steps only the whole numbers: between them the axis has ticks, too."""


def specifications(cases: Sequence[Measured], *, memory: bool = True) -> dict[str, dict[str, Any]]:
    """By the plot's name; only those for which some case has figures. memory: whether any has a series of it."""
    import altair as alt

    charts: dict[str, Chart] = {}
    points = [
        (case.generation_s, case.peak_bytes) for case in cases if case.generation_s is not None and case.peak_bytes
    ]
    if points:
        charts["tradeoff"] = _tradeoff([s for s, _ in points], [peak / GIB for _, peak in points if peak])
    durations = [step.step_s for case in cases for step in case.record.steps]
    if durations:
        charts["steps"] = _steps(durations)
    if present := phases_of(cases):
        charts["phases"] = _phases(timed(present))
        if memory:
            charts["memory"] = _memory(present)
    if any(len(case.rounds) > 1 for case in cases):
        charts["rounds"] = _rounds()
    highlight = alt.param(name="highlight", value=0)
    return {name: plain(chart.add_params(highlight)) for name, chart in charts.items()}


def plain(chart: Chart) -> dict[str, Any]:
    """Without the schema's address, which only names Altair's version.

    Not validated, which takes half a second: a chart's grammar does not hang on the run, and a test sees to it.
    """
    return {key: value for key, value in chart.to_dict(validate=False).items() if key != "$schema"}


def phases_of(cases: Sequence[Measured]) -> list[Phase]:
    """The phases that any case went through, in the order of the pipeline."""
    found = {part.phase for case in cases for part in case.record.phases}
    return [phase for phase in PHASE_TITLES if phase in found]


def timed(phases: Sequence[Phase]) -> list[Phase]:
    """Without the warm-up, which no figure counts and which would hide the others."""
    return [phase for phase in phases if phase is not Phase.WARM_UP]


def phase_colours(phases: Sequence[Phase]) -> dict[str, str]:
    """By the phase's title."""
    return {PHASE_TITLES[phase]: PHASE_COLOURS.get(phase, UNCOLOURED) for phase in phases}


def _tradeoff(times_s: Sequence[float], peaks: Sequence[float]) -> Chart:
    import altair as alt

    time_scale = _scale(times_s, zero=True)
    low, high = min(peaks), max(peaks)
    room = max(high - low, 0.1 * high, 1e-3)
    memory_scale = alt.Scale(domain=[max(0.0, low - 0.25 * room), high + 0.3 * room], nice=False)
    ticks = alt.Axis(labelOverlap="greedy", labelSeparation=5)
    x = alt.X("time:Q", title=_titled("generation, seconds", time_scale), scale=time_scale, axis=ticks)
    y = alt.Y("peak:Q", title="peak MLX memory, GiB", scale=memory_scale)
    base = alt.Chart(alt.NamedData("cases")).encode(x=x, y=y)
    front = base.transform_filter("datum.front")
    return alt.layer(
        alt.Chart(alt.NamedData("limits"))
        .mark_rule(strokeDash=[4, 3], clip=True)
        .encode(x=alt.X("time:Q", scale=time_scale))
        .transform_filter("isValid(datum.time)"),
        alt.Chart(alt.NamedData("limits"))
        .mark_rule(strokeDash=[4, 3], clip=True)
        .encode(y=alt.Y("peak:Q", scale=memory_scale))
        .transform_filter("isValid(datum.peak)"),
        front.mark_line(interpolate="step-after", strokeWidth=1, opacity=0.6, strokeDash=[2, 2]).encode(order="time:Q"),
        front.mark_point(size=230, filled=False, strokeWidth=1.2, opacity=1),
        base.mark_circle(size=80, stroke=None).encode(
            color=alt.Color("colour:N", scale=None),
            opacity=_unless_faded(0.95),
            tooltip=[
                alt.Tooltip("label:N", title="Case"),
                alt.Tooltip("time_text:N", title="Time"),
                alt.Tooltip("peak_text:N", title="Peak memory"),
                alt.Tooltip("remark:N", title="Remark"),
            ],
        ),
        alt.Chart(alt.NamedData("names"))
        .mark_text(align="left", dx=10, dy=-9, fontSize=11, clip=True)
        .encode(x=x, y=y, text="text:N"),
    ).properties(width="container", height=340)


def _steps(durations_s: Sequence[float]) -> Chart:
    import altair as alt

    scale = _scale(durations_s, zero=True)
    base = alt.Chart(alt.NamedData("steps")).encode(
        x=alt.X("index:Q", title="step", axis=alt.Axis(tickMinStep=1, labelExpr=WHOLE, labelSeparation=5)),
        y=alt.Y("s:Q", title=_titled("seconds a step", scale), scale=scale),
        color=alt.Color("colour:N", scale=None),
        detail=["n:O", "stage:O"],
        opacity=_unless_faded(0.9),
    )
    tooltip = [
        alt.Tooltip("label:N", title="Case"),
        alt.Tooltip("index:Q", title="Step"),
        alt.Tooltip("stage:O", title="Stage"),
        alt.Tooltip("s:Q", title="Seconds", format=".4~g"),
    ]
    return alt.layer(base.mark_line(strokeWidth=1.6), base.mark_circle(size=34).encode(tooltip=tooltip)).properties(
        width="container", height=300
    )


def _phases(present: Sequence[Phase]) -> Chart:
    import altair as alt

    chart: alt.Chart = (
        alt.Chart(alt.NamedData("phases"))
        .mark_bar()
        .encode(
            y=alt.Y("label:N", sort=alt.EncodingSortField("n", op="min"), title=None, axis=alt.Axis(labelLimit=220)),
            x=alt.X("s:Q", title="seconds", stack="zero"),
            order=alt.Order("order:Q"),
            color=alt.Color("phase:N", scale=_phase_scale(present), legend=None),
            opacity=_unless_faded(1.0, faded=0.35),
            tooltip=[
                alt.Tooltip("label:N", title="Case"),
                alt.Tooltip("phase:N", title="Phase"),
                alt.Tooltip("s:Q", title="Seconds", format=".4~g"),
            ],
        )
        .transform_filter(alt.FieldOneOfPredicate("phase", list(phase_colours(present))))
        .properties(
            width="container", height=alt.Step(24), autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
        )
    )
    return chart


def _memory(present: Sequence[Phase]) -> Chart:
    """One case in full over its own time, its phases behind it; the others faint."""
    import altair as alt

    chosen, end = alt.param(name="chosen", value=0), alt.param(name="end_s", value=1)
    scale = alt.Scale(domainMin=0, domainMax=alt.ExprRef("end_s"), nice=False, zero=False)
    ticks = alt.Axis(tickCount=8, labelOverlap=True)
    time = alt.X("t:Q", title="seconds since the case began", scale=scale, axis=ticks)
    bands = (
        alt.Chart(alt.NamedData("bands"))
        .mark_rect(opacity=0.3, clip=True)
        .encode(
            x=alt.X("start:Q", scale=scale, axis=ticks),
            x2="end:Q",
            fill=alt.Fill("phase:N", scale=_phase_scale(present), legend=None),
            tooltip=[
                alt.Tooltip("phase:N", title="Phase"),
                alt.Tooltip("s:Q", title="Seconds", format=".4~g"),
            ],
        )
    )
    ours = "datum.n == chosen || datum.n == highlight"
    lines = (
        alt.Chart(alt.NamedData("memory"))
        .mark_line(clip=True, interpolate="linear")
        .encode(
            x=time,
            y=alt.Y("gib:Q", title="GiB", scale=alt.Scale(zero=True)),
            stroke=alt.Stroke("colour:N", scale=None),
            strokeDash=alt.StrokeDash(
                "kind:N",
                scale=alt.Scale(domain=["MLX, active", "process"], range=[[1, 0], [4, 3]]),
                legend=None,
            ),
            strokeWidth=alt.condition(ours, alt.value(2), alt.value(1)),
            opacity=alt.condition(ours, alt.value(1), alt.value(FADED)),
            detail=["n:O"],
        )
    )
    return alt.layer(bands, lines).add_params(chosen, end).properties(width="container", height=320)


def _rounds() -> Chart:
    """Each round's distance from its own case's median: cases of seconds and of hours in one picture."""
    import altair as alt

    x = alt.X("share:Q", title="from the case's median", axis=alt.Axis(format="+.1~%"))
    y = alt.Y("label:N", sort=alt.EncodingSortField("n", op="min"), title=None, axis=alt.Axis(labelLimit=220))
    base = alt.Chart(alt.NamedData("rounds")).encode(y=y)
    tooltip = [
        alt.Tooltip("label:N", title="Case"),
        alt.Tooltip("round:Q", title="Round"),
        alt.Tooltip("s:Q", title="Seconds", format=".5~g"),
        alt.Tooltip("share:Q", title="From the median", format="+.2%"),
    ]
    return alt.layer(
        base.mark_rule(strokeWidth=1, opacity=0.5).encode(x=alt.X("min(share):Q"), x2="max(share):Q"),
        base.mark_circle(size=50).encode(
            x=x, color=alt.Color("colour:N", scale=None), opacity=_unless_faded(0.8), tooltip=tooltip
        ),
    ).properties(width="container", height=alt.Step(24), autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))


def _scale(values: Sequence[float], *, zero: bool) -> alt.Scale:
    import altair as alt

    low, high = min(values), max(values)
    if low > 0 and high / low >= LOG_FROM:
        return alt.Scale(type="log", domain=[low / 1.3, high * 1.4], nice=False)
    return alt.Scale(domain=[0 if zero else low, 1.15 * high or 1], nice=False)


def _titled(words: str, scale: Any) -> str:
    return f"{words} (log scale)" if scale.to_dict().get("type") == "log" else words


def _phase_scale(present: Sequence[Phase]) -> alt.Scale:
    import altair as alt

    colours = phase_colours(present)
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _unless_faded(opacity: float, faded: float = FADED) -> Any:
    import altair as alt

    return alt.condition("highlight == 0 || highlight == datum.n", alt.value(opacity), alt.value(faded))


def forest() -> dict[str, Any]:
    """Of two runs: each case's ratio with its interval, and the band within which no change matters."""
    import altair as alt

    x = alt.X("ratio:Q", title="time, new over old: left of 1 is faster", scale=alt.Scale(zero=False))
    y = alt.Y("label:N", sort=alt.EncodingSortField("n", op="min"), title=None, axis=alt.Axis(labelLimit=220))
    band = alt.Chart(alt.NamedData("band")).mark_rect(opacity=0.15).encode(x="low:Q", x2="high:Q")
    one = alt.Chart(alt.NamedData("band")).mark_rule(strokeDash=[4, 3]).encode(x="one:Q")
    base = alt.Chart(alt.NamedData("forest")).encode(
        y=y, color=alt.Color("colour:N", scale=None), opacity=_unless_faded(1.0)
    )
    tooltip = [
        alt.Tooltip("label:N", title="Case"),
        alt.Tooltip("answer:N", title="Answer"),
        alt.Tooltip("ratio:Q", title="Ratio", format=".4f"),
        alt.Tooltip("low:Q", title="From", format=".4f"),
        alt.Tooltip("high:Q", title="To", format=".4f"),
    ]
    chart = alt.layer(
        band,
        one,
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(x=x, tooltip=tooltip),
    ).properties(width="container", height=alt.Step(26), autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
    return plain(chart.add_params(alt.param(name="highlight", value=0)))
