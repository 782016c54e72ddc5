"""How and under which conditions the cases were measured: the parts of the page that are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished
from ltxbench.report.measured import measured
from ltxbench.report.page import Cell, Column, Definition, Folded, Table
from ltxbench.report.results import Results
from ltxbench.report.tables import label
from ltxbench.run.conditions import Conditions, Status
from ltxbench.run.records import CaseRecord
from ltxbench.trust.samples import GENERATION

STATUS_WORDS = {Status.OK: "ok", Status.WARNING: "⚠ warning", Status.FAILURE: "✗ failure", Status.UNKNOWN: "unknown"}
SHORT = 16
MOST_ORDERS = 12


def spread(results: Results) -> Folded | None:
    """Of generation over the rounds; None where every case ran once."""
    cases = [case for case in measured(results) if len(case.rounds) > 1]
    if not cases:
        return None
    rows = []
    marked = False
    for case in cases:
        summary = case.summary(GENERATION)
        if summary is None:
            continue
        outliers = case.outlier_rounds(GENERATION)
        marked |= bool(outliers)
        interval = fmt.MISSING
        if summary.low is not None and summary.high is not None:
            interval = fmt.span(summary.low, summary.high)
        rounds = ", ".join(
            f"{fmt.plain_seconds(value)}{'†' if number in outliers else ''}"
            for number, value in case.samples(GENERATION).items()
        )
        rows.append(
            (
                *label(case.record),
                Cell(str(summary.n)),
                Cell(fmt.seconds(summary.median)),
                Cell(fmt.seconds(summary.mad)),
                Cell(interval),
                Cell(rounds),
            )
        )
    columns = (
        Column("#", numeric=True),
        Column("Configuration"),
        Column("Rounds", numeric=True),
        Column("Median", numeric=True),
        Column("MAD", numeric=True),
        Column("95% interval", numeric=True),
        Column("Every round, in seconds"),
    )
    note = (
        "Generation. MAD: the median distance from the median. "
        "The interval is a bootstrap of the median, from six rounds on."
    )
    if marked:
        note += " † stands far from the others; it is kept in every figure."
    return Folded("Spread over the rounds", (), (Table(columns, tuple(rows)),), note)


def how(results: Results) -> Folded:
    run, plan = results.run, results.run.schedule
    rounds = sorted({len(results.rounds_of(record.case.name)) for record in results.records})
    counts = " to ".join(str(count) for count in dict.fromkeys((rounds[0], rounds[-1]))) if rounds else "0"
    items = [
        Definition("Rounds", f"{counts} of each case, {plan.repeats} asked for" if run.imported is None else counts)
    ]
    if run.imported is None:
        items.append(Definition("Order", _order(results)))
        items.append(Definition("Warm-up", "one before each case, thrown away" if plan.warm_up else "none"))
        items.append(Definition("Cooldown", plan.cooldown or "none"))
        check = "each case also ran once without step timer and memory sampler" if plan.check else "none"
        items.append(Definition("Check round", check))
    items += [Definition("Conditioning", _conditioning(results)), *_hashes(results), *_sampler(results)]
    items += [Definition("Resumed", f"{each.utc}, {fmt.plural(each.kept, 'round')} kept") for each in run.resumptions]
    return Folded("How the cases were measured", tuple(items), (), "")


def _order(results: Results) -> str:
    plan = results.run.schedule
    if plan.order_seed is None:
        return "every round in the matrix's order"
    numbers = {case.name: number for number, case in enumerate(results.run.matrix.cases, start=1)}
    orders = ["".join(f" #{numbers[name]}" for name in names if name in numbers).strip() for names in plan.order]
    text = f"interleaved by round, shuffled with seed {plan.order_seed}"
    if orders and len(numbers) <= MOST_ORDERS:
        text += ": " + "; ".join(orders)
    return text


def _conditioning(results: Results) -> str:
    run = results.run
    sha256 = f", text sha256 {run.conditioning_sha256[:SHORT]}" if run.conditioning_sha256 else ""
    if run.conditioning_shared is None:
        return f"not known whether the cases shared it{sha256}"
    return (
        (f"one text for all cases{sha256}") if run.conditioning_shared else "not shared: each case encoded its own text"
    )


def _hashes(results: Results) -> Iterable[Definition]:
    """The embeddings of all cases, and the noise by latent shape."""
    by_model: dict[str, set[str]] = {}
    for record in results.stored.records:
        if (found := record.facts.get("context_sha256")) is not None:
            by_model.setdefault(record.case.model.value, set()).add(str(found)[:SHORT])
    if by_model:
        text = "; ".join(f"{model}: {', '.join(sorted(found))}" for model, found in by_model.items())
        yield Definition("Embeddings, sha256", text)
    by_shape: dict[str, set[str]] = {}
    for record in results.stored.records:
        if (found := record.facts.get("noise_sha256")) is not None:
            stage = record.case.stages[0]
            shape = f"{stage.width}x{stage.height}, {fmt.plural(record.case.frames, 'frame')}, seed {record.case.seed}"
            by_shape.setdefault(shape, set()).add(str(found)[:SHORT])
    if by_shape and len(by_shape) <= MOST_ORDERS:
        text = "; ".join(f"{shape}: {', '.join(sorted(found))}" for shape, found in by_shape.items())
        yield Definition("Initial noise, sha256", text)


def _sampler(results: Results) -> Iterable[Definition]:
    memory = [record.memory for record in results.stored.records if record.memory.samples]
    if not memory:
        return
    text = fmt.plural(sum(each.samples for each in memory), "sample")
    intervals = sorted({each.interval_s for each in memory if each.interval_s is not None})
    if intervals:
        text += f", one every {fmt.seconds(intervals[0])}"
    gaps = [each.longest_gap_s for each in memory if each.longest_gap_s is not None]
    if gaps:
        text += f", longest gap {fmt.seconds(max(gaps))}"
    cost = [each.sampler_cpu_s for each in memory if each.sampler_cpu_s is not None]
    if cost:
        text += f", {fmt.seconds(sum(cost))} of CPU time in all"
    yield Definition("Memory sampler", text)


def examination(results: Results) -> Folded | None:
    """What `ltxbench doctor` found; None where it was not asked."""
    found = results.run.examination
    if found is None:
        return None
    rows = tuple(
        (
            Cell(STATUS_WORDS[reading.status]),
            Cell(reading.name),
            Cell(reading.value or fmt.MISSING),
            Cell(" ".join(part for part in (reading.detail, reading.hint) if part)),
        )
        for reading in sorted(found.readings, key=lambda reading: _SEVERITY.index(reading.status))
    )
    counts = [(status, sum(r.status is status for r in found.readings)) for status in _SEVERITY]
    told = ", ".join(f"{count} {STATUS_WORDS[status].split(' ')[-1]}" for status, count in counts if count)
    note = "The run was made although a reading failed." if found.overridden else ""
    columns = (Column("Status"), Column("Reading"), Column("Value"), Column("What was read"))
    return Folded(f"What ltxbench doctor found before the run: {told}", (), (Table(columns, rows),), note)


_SEVERITY = (Status.FAILURE, Status.WARNING, Status.UNKNOWN, Status.OK)


def around_cases(results: Results) -> Folded | None:
    """The machine before and after each round; a column only where something was read."""
    looked = [record for record in results.stored.records if record.before is not None or record.after is not None]
    if not looked:
        return None
    kept = [(title, written) for title, written in _LOOKS if any(written(r.before) or written(r.after) for r in looked)]
    columns = [Column("#", numeric=True), Column("Configuration"), Column("Round", numeric=True)]
    columns += [Column(title) for title, _ in kept]
    if any(record.cooldown is not None for record in looked):
        columns.append(Column("Cooldown", numeric=True))
    rows = []
    for record in looked:
        cells = [Cell(_before_after(written(record.before), written(record.after))) for _, written in kept]
        if columns[-1].title == "Cooldown":
            cells.append(Cell(_cooldown(record)))
        number = str(record.round) if record.round else "check"
        rows.append((*label(record), Cell(number), *cells))
    return Folded("Conditions before and after each round", (), (Table(tuple(columns), tuple(rows)),), "")


def _before_after(before: str | None, after: str | None) -> str:
    if before == after:
        return before or fmt.MISSING
    return f"{before or fmt.MISSING} → {after or fmt.MISSING}"


def _cooldown(record: CaseRecord) -> str:
    if record.cooldown is None:
        return fmt.MISSING
    text = fmt.seconds(record.cooldown.waited_s)
    return f"{text}, not settled" if record.cooldown.settled is False else text


def _throttled(look: Conditions) -> str | None:
    if look.throttled is None:
        return None
    return (look.throttle_reason or "yes") if look.throttled else "no"


def _look(written: Callable[[Conditions], str | None]) -> Callable[[Conditions | None], str | None]:
    return lambda look: None if look is None else written(look)


def _unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"


_LOOKS: tuple[tuple[str, Callable[[Conditions | None], str | None]], ...] = (
    ("Power", _look(lambda look: look.power_source)),
    ("Low power", _look(lambda look: None if look.low_power is None else "yes" if look.low_power else "no")),
    ("Thermal state", _look(lambda look: look.thermal_state)),
    ("Throttled", _look(_throttled)),
    ("Memory pressure", _look(lambda look: look.memory_pressure)),
    ("Swap used", _look(lambda look: None if look.swap_used_bytes is None else fmt.gib(look.swap_used_bytes))),
    ("CPU load", _look(lambda look: None if look.cpu_load is None else f"{look.cpu_load:.1f}")),
    ("GPU", _look(lambda look: _unit(look.gpu_temperature_c, "°C"))),
    ("GPU power", _look(lambda look: _unit(look.gpu_power_w, "W"))),
    ("GPU clock", _look(lambda look: _unit(look.gpu_clock_mhz, "MHz"))),
    ("GPU memory", _look(lambda look: None if look.gpu_used_bytes is None else fmt.gib(look.gpu_used_bytes))),
)


def counts_finished(results: Results, record: CaseRecord) -> str:
    """`5`, or `4 of 5` where rounds failed."""
    rounds = results.rounds_of(record.case.name)
    good = sum(finished(each) for each in rounds)
    return str(good) if good == len(rounds) else f"{good} of {len(rounds)}"
