"""From results to the page's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ltxbench.matrix import Case, reproduce_command
from ltxbench.report import format as fmt
from ltxbench.report.arithmetic import arithmetic, arithmetic_definitions
from ltxbench.report.badges import Badges, Finding
from ltxbench.report.compare import compare_with_twins
from ltxbench.report.costs import (
    energy,
    energy_definitions,
    memory,
    memory_definitions,
    step_definitions,
    steps,
    time_definitions,
    times,
)
from ltxbench.report.figures import PHASE_TITLES, finished, outcome_title
from ltxbench.report.grids import stills, videos
from ltxbench.report.imported import imported
from ltxbench.report.page import (
    CaseDetail,
    Definition,
    Failure,
    Media,
    Page,
    Plot,
    Remark,
    Section,
    TwinComparison,
)
from ltxbench.report.profile import profile
from ltxbench.report.quality import comparison_definitions, comparisons, quality, quality_definitions
from ltxbench.report.quality import findings as found_in
from ltxbench.report.questions import questions, unasked
from ltxbench.report.recommend import recommendation
from ltxbench.report.reproduction import commands, provenance, weights_arguments
from ltxbench.report.results import Results
from ltxbench.report.tables import WARNED, anchor, performance, performance_definitions, resolution
from ltxbench.report.trust import folded_case, trust
from ltxbench.run.records import CaseRecord, Machine, RunRecord

SHARED_BY_DEFAULT = {name: field.default for name, field in Case.model_fields.items() if not field.is_required()}
RANDOM_NOTE = "Random weights: measured times and memory, meaningless pictures."
PICTURES_BY_EYE = "Only time and memory are compared; judge the pictures by eye."
SINGLE_SAMPLE = f"Each case ran once: differences of a few percent may be chance. {PICTURES_BY_EYE}"
UNKNOWN = "unknown"


def build(
    results: Results,
    media: Mapping[str, Media],
    plots: Sequence[Plot],
    *,
    folder: str | None = None,
    findings: Mapping[str, Sequence[Finding]] | None = None,
) -> Page:
    """media: by the case's name; a case without an entry has nothing to look at.

    folder: name of the page's folder, the matrix's unless given
    findings: what stands out in the pictures, by the case's name; found here unless given
    """
    run, matrix = results.run, results.run.matrix
    badges = Badges(results, found_in(results) if findings is None else findings)
    twins = results.once("twins", lambda: compare_with_twins(results))
    shared = _shared(results)
    return Page(
        title=f"{matrix.title}, {run.weights.kind} weights" if is_random(run) else matrix.title,
        synthetic=_synthetic(run),
        table_note=RANDOM_NOTE if is_random(run) else None,
        unfinished=_unfinished(results),
        imported=imported(run),
        trust=trust(results, badges),
        prompt=matrix.prompt,
        enhanced=run.conditioning if matrix.enhance else None,
        flags=_flags(results),
        performance=performance(results, badges),
        performance_definitions=performance_definitions(results),
        remarks=_remarks(results),
        recommendation=results.once("recommendation", lambda: recommendation(results)),
        questions=questions(results),
        unasked=unasked(results),
        caveat=_caveat(results),
        hardware=hardware(results),
        times=times(results),
        time_definitions=time_definitions(results),
        steps=steps(results),
        step_definitions=step_definitions(results),
        memory=memory(results),
        memory_definitions=memory_definitions(results),
        energy=(energy_table := energy(results)),
        energy_definitions=energy_definitions(results) if energy_table is not None else (),
        arithmetic=arithmetic(results),
        arithmetic_definitions=arithmetic_definitions(results),
        quality=quality(results),
        quality_definitions=quality_definitions(),
        pictures_compared=comparisons(results),
        pictures_compared_definitions=comparison_definitions(),
        videos=videos(results, media),
        stills=stills(results, media),
        plots=tuple(plots),
        sections=tuple(Section(section.title, section.body) for section in matrix.sections),
        cases=tuple(
            _detail(results, record, badges, twins.get(record.case.name), shared, media.get(record.case.name, Media()))
            for record in results.records
        ),
        commands=commands(run, folder or run.matrix.name),
        provenance=provenance(run),
    )


def hardware(results: Results) -> str:
    """`Apple M3 Max, 96.0 GiB memory, macOS 15.1, GPU Apple M3 Max; MLX 0.32.4, Python 3.12.4`."""
    run, machine = results.run, results.run.machine
    computes = f"GPU {machine.accelerator}" if machine.accelerator else f"CPU with {machine.cpu_cores} cores"
    if run.imported is not None:
        return f"{_known(machine)}, as the source states it."
    blas = sorted({str(value) for record in results.records if (value := record.facts.get("blas")) is not None})
    if blas and not machine.accelerator:
        computes += f", BLAS {' and '.join(blas)}"
    parts = [machine.chip, f"{fmt.gib(machine.memory_bytes)} of memory", f"{machine.os} ({machine.arch})", computes]
    return f"{', '.join(parts)}. {_versions(machine)}."


def _known(machine: Machine) -> str:
    parts = [machine.accelerator or machine.chip]
    if machine.memory_bytes is not None:
        parts.append(f"{fmt.gib(machine.memory_bytes)} of memory")
    if machine.os not in ("", UNKNOWN):
        parts.append(machine.os)
    return ", ".join(parts)


def _versions(machine: Machine) -> str:
    mlx = machine.packages.get("mlx")
    return f"MLX {mlx}, Python {machine.python}" if mlx else f"Python {machine.python}"


def is_random(run: RunRecord) -> bool:
    """The architecture is at the size it states, its weights are drawn from a seed."""
    return run.weights.synthetic and run.weights.kind.startswith("random")


def _synthetic(run: RunRecord) -> str | None:
    if not run.weights.synthetic:
        return None
    if run.weights.full_size_random:
        return (
            f"Synthetic weights ({run.weights.kind}): the architecture of LTX-2 19B at full size, its values drawn "
            "from a seed, never trained. The times and the memory are what the work costs; the pictures mean nothing."
        )
    if run.weights.kind != "tiny" and not is_random(run):
        return (
            f"Synthetic weights ({run.weights.kind}): made from a seed, never trained. "
            "The pictures mean nothing, and the times and memory are this model's, not LTX-2 19B's."
        )
    return (
        f"Synthetic weights ({run.weights.kind}): a small model made from a seed, never trained. "
        "The pictures mean nothing, and the times and memory are the small model's, not LTX-2 19B's."
    )


def _unfinished(results: Results) -> str | None:
    failed = [record.number for record in results.records if not finished(record)]
    failed += [number for number, _ in results.not_run]
    if not failed:
        return None
    total = len(results.records) + len(results.not_run)
    return f"{fmt.plural(len(failed), 'case')} of {total:,} did not finish: {fmt.cases(failed)}."


def _flags(results: Results) -> str:
    """What all cases share."""
    run, matrix = results.run, results.run.matrix
    cases = _shown(results)
    shared = _shared(results)
    first = cases[0]
    stated = {"frames": fmt.plural(first.frames, "frame"), "fps": f"{first.fps} fps", "seed": f"seed {first.seed}"}
    words = [written for name, written in stated.items() if name in shared]
    if matrix.enhance and run.enhancement is not None:
        words.append(f"prompt enhanced once for all cases ({fmt.seconds(run.enhancement.duration_s)})")
    elif matrix.enhance and run.conditioning is not None:
        words.append("prompt enhanced beforehand, one text for all cases")
    elif not matrix.enhance:
        words.append("prompt used as written")
    if matrix.negative_prompt and any(case.guidance > 1 for case in cases):
        words.append(f"negative prompt “{matrix.negative_prompt}”")
    return ", ".join(words)


def _remarks(results: Results) -> tuple[Remark, ...]:
    """Warnings and notes of the cases, each text once."""
    matrix = results.run.matrix
    about: dict[str, list[int]] = {}
    for number, case in _listed(results):
        for text in (*([f"{WARNED} {case.warning}"] if case.warning else []), *case.notes):
            about.setdefault(text, []).append(number)
    remarks = [Remark(f"Note on {fmt.cases(numbers)}", text) for text, numbers in about.items()]
    warned = tuple(f"{case.name}: " for case in matrix.cases if case.warning)
    general = [warning for warning in matrix.warnings if not warning.startswith(warned)]
    return (*remarks, *(Remark("Note on the matrix", warning) for warning in general))


def _listed(results: Results) -> list[tuple[int, Case]]:
    """The cases of the performance table in its order."""
    ran = [(record.number, record.case) for record in results.records]
    return sorted([*ran, *results.not_run], key=lambda pair: pair[0])


def _caveat(results: Results) -> str:
    counts = [len(results.rounds_of(record.case.name)) for record in results.records]
    if all(count < 2 for count in counts):
        return SINGLE_SAMPLE
    fewest, most = min(counts), max(counts)
    rounds = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"Times are medians of {rounds} rounds. {PICTURES_BY_EYE}"


def _detail(
    results: Results,
    record: CaseRecord,
    badges: Badges,
    twin: TwinComparison | None,
    shared: frozenset[str],
    media: Media,
) -> CaseDetail:
    run, case = results.run, record.case
    published = run.imported.as_published.get(case.name, {}) if run.imported is not None else {}
    return CaseDetail(
        heading=f"{record.number}. {case.title}",
        anchor=anchor(case),
        settings=_settings(case, shared),
        summary=case.summary,
        warning=case.warning,
        failure=_failure(record),
        command=reproduce_command(run.matrix, case, *weights_arguments(run)),
        media=media,
        alt=f"Frame of {case.title}",
        caption=_caption(record),
        profile=results.once(f"profile {case.name}", lambda: profile(record, run.matmul)),
        twin=twin,
        verdict=badges.line(case.name),
        why=badges.sentence(case.name, everything=True),
        rounds=folded_case(results, case.name),
        as_published=tuple(Definition(name, words) for name, words in published.items()),
    )


def _shown(results: Results) -> tuple[Case, ...]:
    return tuple(record.case for record in results.records) or results.run.matrix.cases


def _shared(results: Results) -> frozenset[str]:
    """Settings that all shown cases have in common: stated once, in the line of flags."""
    cases = _shown(results)
    return frozenset(name for name in ("frames", "fps", "seed") if len({getattr(case, name) for case in cases}) == 1)


def _settings(case: Case, shared: frozenset[str]) -> str:
    """`distilled, 8 steps, CFG 1.0, 768x512`, and every option that is not the default."""
    words = [
        case.model_label,
        f"{case.steps_label} step{'' if case.steps_label == '1' else 's'}",
        f"CFG {fmt.number(case.guidance)}",
        resolution(case),
    ]
    words += [f"{name} {getattr(case, name)}" for name in ("frames", "fps", "seed") if name not in shared]
    for name in _OPTIONS:
        value = getattr(case, name)
        if value != SHARED_BY_DEFAULT[name]:
            words.append(f"{name.replace('_', ' ')} {_option(value)}")
    words += [f"LoRA {lora.path} at {fmt.number(lora.strength)}" for lora in case.loras]
    return ", ".join(words)


_OPTIONS = (
    "lora_strength",
    "stg",
    "stg_blocks",
    "rescale",
    "quantized_layers",
    "tiling",
    "schedule",
    "upscale_adain",
)


def _option(value: object) -> str:
    if isinstance(value, float):
        return fmt.number(value)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(getattr(value, "value", value))


def _failure(record: CaseRecord) -> Failure | None:
    if finished(record):
        return None
    failure = record.failure
    if failure is None:
        return Failure(outcome_title(record), "No reason was recorded.", "")
    where = f" during {PHASE_TITLES[failure.phase].lower()}" if failure.phase is not None else ""
    return Failure(outcome_title(record) + where, failure.message, failure.output_tail.strip())


def _caption(record: CaseRecord) -> str:
    video = record.video
    if video is None:
        return ""
    frames = fmt.plural(video.frames, "frame")
    return f"{video.width}x{video.height}, {frames} at {video.fps} fps, {fmt.size(video.size_bytes)}"
