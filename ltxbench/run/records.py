"""What a run leaves behind. Every figure carries its unit in its name; None is "not measured".

A run is a folder:

    run.json                     RunRecord
    cases/<name>/record.json     CaseRecord
    cases/<name>/memory.csv      the memory series, one sample a row (MEMORY_COLUMNS)
    cases/<name>/<name>.mp4
    cases/<name>/output.txt      what the case's process printed
    enhance/output.txt           what the process printed that enhanced the prompt, if there was one
"""

from __future__ import annotations

from enum import StrEnum

from ltxbench.frozen import Frozen
from ltxbench.matrix.case import Case, Matrix

SCHEMA_VERSION = 1

MEMORY_COLUMNS = (
    "time_s",
    "phase",
    "mlx_active_bytes",
    "mlx_cache_bytes",
    "mlx_peak_bytes",
    "footprint_bytes",
)


class Phase(StrEnum):
    LOAD = "load"
    QUANTIZE = "quantize"
    LORA = "lora"
    ENHANCE = "enhance"
    ENCODE = "encode"
    DENOISE_1 = "denoise-1"
    DENOISE_2 = "denoise-2"
    UPSCALE = "upscale"
    DECODE = "decode"
    EXPORT = "export"


DENOISING = (Phase.DENOISE_1, Phase.DENOISE_2)
GENERATION = (Phase.ENCODE, Phase.DENOISE_1, Phase.UPSCALE, Phase.DENOISE_2, Phase.DECODE)
LOADING = (Phase.LOAD, Phase.QUANTIZE, Phase.LORA)


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "out of memory"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    INVALID = "invalid"
    SKIPPED = "skipped"


class PhaseRecord(Frozen):
    """One stretch of one phase. A phase may occur several times in a case; its parts add up."""

    phase: Phase
    start_s: float
    """Since the case's clock started, right after the worker's imports."""
    duration_s: float
    mlx_peak_bytes: int | None = None
    """max(MLX's peak counter within the phase, active at its start, active at its end)."""
    mlx_active_bytes: int | None = None
    """Active at the phase's end."""
    mlx_cache_bytes: int | None = None
    """Cache at the phase's end."""
    footprint_bytes: int | None = None
    """The process's own footprint at the phase's end."""


class StepRecord(Frozen):
    stage: int
    index: int
    """From 0 within the whole case, as the steps are printed."""
    sigma: float
    forwards: int
    start_s: float
    step_s: float


class Times(Frozen):
    """The definitions in `TIME_DEFINITIONS`; None where a part was not reached."""

    generation_s: float | None = None
    load_s: float | None = None
    export_s: float | None = None
    wall_s: float | None = None


TIME_DEFINITIONS = {
    "generation": "text encoding + denoising + upscaling + VAE decoding, weights already in memory",
    "load": "reading weights, fusing LoRA and quantizing, for every component of the case",
    "export": "encoding the mp4",
    "wall": "from starting the case's process to its end, interpreter and imports included",
}


class MemoryRecord(Frozen):
    mlx_peak_bytes: int | None = None
    """The highest MLX allocation from start to finish, loading included."""
    mlx_mean_denoising_bytes: int | None = None
    """Mean of MLX's active memory over the samples taken while denoising."""
    footprint_peak_bytes: int | None = None
    footprint_source: str | None = None
    """Which counter the footprint is."""
    samples: int = 0
    interval_s: float | None = None
    longest_gap_s: float | None = None
    sampler_cpu_s: float | None = None
    """CPU time that the sampling itself took."""


class VideoRecord(Frozen):
    file: str
    """Relative to the case's folder."""
    width: int
    height: int
    frames: int
    fps: int
    size_bytes: int
    frames_sha256: str
    """Of the decoded uint8 frames [F,H,W,3], before the mp4 encoder."""


class Failure(Frozen):
    message: str
    phase: Phase | None = None
    output_tail: str = ""


class CaseRecord(Frozen):
    schema_version: int = SCHEMA_VERSION
    case: Case
    number: int
    """From 1, in the matrix's order."""
    outcome: Outcome
    failure: Failure | None = None
    started_utc: str
    times: Times = Times()
    memory: MemoryRecord = MemoryRecord()
    phases: tuple[PhaseRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    video: VideoRecord | None = None
    facts: dict[str, str | int | float | bool | None] = {}
    """What the engine reports about itself: dtype, noise_sha256, latent_sha256, lora_pairs, blas, ..."""


class Machine(Frozen):
    chip: str
    memory_bytes: int
    os: str
    arch: str
    accelerator: str | None = None
    """Name of the GPU that MLX uses, None on the CPU."""
    cpu_cores: int
    python: str
    packages: dict[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None
    environment: dict[str, str] = {}
    """Every MLX_* variable."""


class Weights(Frozen):
    """Which weights a run used."""

    kind: str
    """tiny, official, or a folder's name."""
    synthetic: bool
    """Made from a seed: the cost is measured, the pictures mean nothing."""
    digest: str | None = None
    """sha256 over the files' sha256."""


class MatmulRate(Frozen):
    """The machine's own rate of arithmetic, measured before the first case: a square matrix product."""

    flops_per_s: float
    """Two for each multiply-add; the median of the samples."""
    size: int
    """Rows and columns of each factor."""
    samples: int
    dtype: str = ""
    """That of the cases' computation."""


class EnhancementRecord(Frozen):
    """The one time the prompt was enhanced in this run."""

    text: str
    text_sha256: str
    seed: int
    duration_s: float


class RunRecord(Frozen):
    schema_version: int = SCHEMA_VERSION
    id: str
    ltxbench_version: str
    created_utc: str
    matrix: Matrix
    machine: Machine
    weights: Weights
    command: tuple[str, ...]
    conditioning: str | None = None
    """The text that every case encoded."""
    conditioning_sha256: str | None = None
    enhancement: EnhancementRecord | None = None
    matmul: MatmulRate | None = None
    selected: tuple[str, ...] = ()
    """The cases asked for, in order; all of the matrix's unless `--case` chose."""
