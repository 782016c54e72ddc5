"""Stored runs made in code: any number of cases, any outcome, with or without memory samples and videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ltxbench.matrix import Case, Group, Matrix, Section
from ltxbench.matrix.case import LoraUse, Model, Quantization
from ltxbench.model.transformer_config import TransformerConfig
from ltxbench.model.work import transformer_facts
from ltxbench.run import store
from ltxbench.run.records import (
    GENERATION,
    LOADING,
    MEMORY_COLUMNS,
    CaseRecord,
    EnhancementRecord,
    Failure,
    Machine,
    MatmulRate,
    MemoryRecord,
    Outcome,
    Phase,
    PhaseRecord,
    RunRecord,
    StepRecord,
    Times,
    VideoRecord,
    Weights,
)
from ltxbench.run.store import RunFolder

GIB = 2**30

GROUPS = (
    Group(name="single", title="Single-stage"),
    Group(name="two", title="Two-stage"),
    Group(name="other", title="High resolution / Quantization"),
)
BEAVER = (
    Case(name="distilled", title="Distilled", group="single", summary="Eight steps, no guidance."),
    Case(name="dev", title="Dev", group="single", model=Model.DEV, steps=40, guidance=4.0),
    Case(name="dev-lora", title="Dev + LoRA", group="single", model=Model.DEV, distilled_lora=LoraUse.ALL),
    Case(name="distilled-upscaler", title="Distilled + Upscaler", group="two", two_stage=True),
    Case(
        name="dev-upscaler",
        title="Dev + Upscaler",
        group="two",
        model=Model.DEV,
        two_stage=True,
        steps=40,
        guidance=4.0,
        warning="Stage 2 needs the distilled LoRA; expect noise.",
    ),
    Case(
        name="two-stage",
        title="Dev + LoRA + Upscaler",
        group="two",
        model=Model.DEV,
        distilled_lora=LoraUse.ALL,
        two_stage=True,
    ),
    Case(
        name="dev-1024",
        title="Dev 1024",
        group="other",
        model=Model.DEV,
        steps=40,
        guidance=4.0,
        width=1024,
        height=576,
    ),
    Case(
        name="distilled-qint8",
        title="Distilled qint8",
        group="other",
        quantization=Quantization.QINT8,
        notes=("Less memory while denoising, more while loading.",),
    ),
)


def make_record(case: Case, number: int, *, scale: float = 1.0, outcome: Outcome = Outcome.OK) -> CaseRecord:
    """Figures that follow from the case: cost by pixels and forwards, a slow first step in each stage."""
    clock = 0.0
    phases: list[PhaseRecord] = []
    steps: list[StepRecord] = []
    quantized = case.quantization.bits is not None
    base = (15 if quantized else 27) * GIB

    def phase(which: Phase, duration_s: float, peak_bytes: int) -> None:
        nonlocal clock
        phases.append(
            PhaseRecord(
                phase=which,
                start_s=clock,
                duration_s=duration_s,
                mlx_peak_bytes=peak_bytes,
                mlx_active_bytes=base,
                mlx_cache_bytes=GIB,
                footprint_bytes=base + 3 * GIB,
            )
        )
        clock += duration_s

    phase(Phase.LOAD, 12 * scale, 52 * GIB + number * GIB // 50)
    if quantized:
        phase(Phase.QUANTIZE, 7 * scale, 60 * GIB)
    if case.distilled_lora is not LoraUse.NONE:
        phase(Phase.LORA, 3 * scale, 53 * GIB)
    phase(Phase.ENCODE, (5 + 3 * (number % 4)) * scale, 30 * GIB)
    for stage in case.stages:
        start_s, first = clock, len(steps)
        each_s = 8.2 * scale * stage.width * stage.height / (768 * 512) * (1.0 if stage.forwards == 1 else 2.1)
        for index in range(stage.steps):
            wobble = 1 + 0.03 * math.sin(1.7 * index + number) + (0.2 if index == 0 else 0)
            step_s = each_s * wobble
            steps.append(
                StepRecord(
                    stage=stage.index,
                    index=first + index,
                    sigma=1 - index / stage.steps,
                    forwards=stage.forwards,
                    start_s=clock,
                    step_s=step_s,
                )
            )
            clock += step_s
        duration_s, clock = clock - start_s, start_s
        phase(Phase.DENOISE_1 if stage.index == 1 else Phase.DENOISE_2, duration_s, base + 2 * GIB)
        if stage.index == 1 and case.two_stage:
            phase(Phase.UPSCALE, 0.9 * scale, base + 3 * GIB)
    phase(Phase.DECODE, 4.1 * scale, base + 6 * GIB)
    phase(Phase.EXPORT, 0.4 * scale, base)
    by_phase = {kind: [part.duration_s for part in phases if part.phase in kind] for kind in (GENERATION, LOADING)}
    record = CaseRecord(
        case=case,
        number=number,
        outcome=outcome,
        started_utc="2026-01-31T12:00:00Z",
        times=Times(
            generation_s=sum(by_phase[GENERATION]),
            load_s=sum(by_phase[LOADING]),
            export_s=0.4 * scale,
            wall_s=clock + 2.5,
        ),
        memory=MemoryRecord(
            mlx_peak_bytes=max(part.mlx_peak_bytes or 0 for part in phases),
            mlx_mean_denoising_bytes=base,
            footprint_peak_bytes=63 * GIB,
            footprint_source="VmHWM",
            samples=1200,
            interval_s=0.05,
            longest_gap_s=0.08,
        ),
        phases=tuple(phases),
        steps=tuple(steps),
        facts={
            **transformer_facts(TransformerConfig(), case, 1024),
            "dtype": "bfloat16",
            "noise_sha256": f"{case.stages[0].width * case.stages[0].height * case.frames + case.seed:064x}",
            "blas": None,
        },
    )
    if outcome is Outcome.OK:
        return record
    return failed(record)


def failed(record: CaseRecord, message: str = "the process was killed by signal 9") -> CaseRecord:
    """The same case, ended in its third step."""
    steps = record.steps[:3]
    reached = [part for part in record.phases if part.phase in (*LOADING, Phase.ENCODE)]
    return record.model_copy(
        update={
            "outcome": record.outcome if record.outcome is not Outcome.OK else Outcome.FAILED,
            "failure": Failure(message=message, phase=Phase.DENOISE_1, output_tail="last words\n"),
            "steps": steps,
            "phases": tuple(reached),
            "times": Times(load_s=record.times.load_s, wall_s=30.0),
            "memory": MemoryRecord(),
        }
    )


def bare(record: CaseRecord) -> CaseRecord:
    """The same case with nothing to plot."""
    return record.model_copy(update={"phases": (), "steps": (), "times": Times(), "memory": MemoryRecord()})


def many(count: int) -> tuple[Case, ...]:
    """Different in everything that a plot shows."""
    cases = []
    for index in range(count):
        dev, two_stage = index % 3 == 1, index % 4 >= 2
        cases.append(
            Case(
                name=f"case-{index:04}",
                title=f"{'Dev' if dev else 'Distilled'} {'Upscaler ' if two_stage else ''}variant {index}",
                group=GROUPS[index % 3].name,
                model=Model.DEV if dev else Model.DISTILLED,
                steps=40 if dev else 8,
                guidance=4.0 if dev else 1.0,
                two_stage=two_stage,
                width=768 + 64 * (index % 5),
                quantization=Quantization.QINT8 if index % 7 == 3 else Quantization.BF16,
            )
        )
    return tuple(cases)


def make_matrix(cases: Sequence[Case] = BEAVER, **changes: object) -> Matrix:
    matrix = Matrix(
        name="beaver-dam",
        title="Beaver Dam",
        prompt="A beaver building a dam in a forest stream",
        enhance=True,
        groups=GROUPS,
        cases=tuple(cases),
        sections=(Section(title="Why a LoRA", body="Because *three steps* are few.\n\n- one\n- two"),),
        source="matrices/beaver-dam.yaml",
        source_sha256="ab" * 32,
    )
    return matrix.model_copy(update=changes)


def make_run(matrix: Matrix, *, synthetic: bool = True) -> RunRecord:
    return RunRecord(
        id="20260131T120000Z-3f9a",
        ltxbench_version="0.1.0",
        created_utc="2026-01-31T12:00:00Z",
        matrix=matrix,
        machine=Machine(
            chip="Example CPU",
            memory_bytes=96 * GIB,
            os="Linux 6.1",
            arch="x86_64",
            cpu_cores=2,
            python="3.12.4",
            packages={"mlx": "0.32.4", "numpy": "2.3.0"},
            git_commit="c0ffee" + "0" * 34,
            git_dirty=False,
        ),
        weights=Weights(kind="tiny" if synthetic else "official", synthetic=synthetic, digest="cd" * 32),
        command=("ltxbench", "bench", "beaver-dam"),
        matmul=MatmulRate(flops_per_s=14.2e12, size=8192, samples=12, dtype="bfloat16"),
        conditioning="A brown beaver works at the edge of a stream.",
        conditioning_sha256="ef" * 32,
        enhancement=EnhancementRecord(
            text="A brown beaver works at the edge of a stream.", text_sha256="ef" * 32, seed=42, duration_s=3.2
        ),
    )


def store_run(
    root: Path,
    records: Sequence[CaseRecord],
    matrix: Matrix | None = None,
    *,
    videos: bool = False,
    memory: bool = True,
    synthetic: bool = True,
) -> RunFolder:
    """Writes a run's folder through the store and reads it back."""
    run = store.create(root, make_run(matrix or make_matrix(), synthetic=synthetic))
    for record in records:
        folder = run.round_folder(record)
        folder.mkdir(parents=True)
        kept = record
        if videos and record.outcome is Outcome.OK:
            kept = record.model_copy(update={"video": write_clip(folder, record)})
        run = store.write_case(run, kept, memory_csv(record).encode() if memory else None)
    return store.load(run.path)


def write_clip(folder: Path, record: CaseRecord, frames: int = 13, width: int = 96, height: int = 64) -> VideoRecord:
    """A moving gradient, small, in the case's own tint."""
    from ltxbench.run.video import frames_sha256, write_video

    across = np.linspace(0, 255, width)[None, :] * np.ones((height, 1))
    down = np.linspace(0, 255, height)[:, None] * np.ones((1, width))
    tint = np.full((height, width), record.number * 37 % 256)
    clip = np.stack([np.stack([np.roll(across, 4 * index, 1), down, tint], axis=-1) for index in range(frames)]).astype(
        np.uint8
    )
    file = folder / f"{record.case.name}.mp4"
    write_video(file, clip, fps=record.case.fps)
    return VideoRecord(
        file=file.name,
        width=width,
        height=height,
        frames=frames,
        fps=record.case.fps,
        size_bytes=file.stat().st_size,
        frames_sha256=frames_sha256(clip),
    )


def memory_csv(record: CaseRecord, per_phase: int = 12) -> str:
    lines = [",".join(MEMORY_COLUMNS)]
    for part in record.phases:
        for index in range(per_phase):
            share = index / per_phase
            active = int((part.mlx_active_bytes or 0) * (0.8 + 0.2 * share))
            if part.phase is Phase.LOAD:
                active = int(50 * GIB * share)
            row = (part.start_s + share * part.duration_s, part.phase.value, active, GIB, active, active + 3 * GIB)
            lines.append(",".join(map(str, row)))
    return "\n".join(lines) + "\n"
