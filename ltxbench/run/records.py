"""What a run leaves behind. Every figure carries its unit in its name; None is "not measured".

A run is a folder:

    run.json                             RunRecord
    cases/<name>/round-<n>/record.json   CaseRecord of the n-th round; round-0 is the check, timed as a whole only
    cases/<name>/round-<n>/memory.csv    the memory series, one sample a row (MEMORY_COLUMNS)
    cases/<name>/round-<n>/<name>.mp4    of the first round that made these frames
    cases/<name>/round-<n>/<name>.mkv    the same frames without loss
    cases/<name>/round-<n>/output.txt    what the case's process printed
    cases/<name>/round-<n>/files.json    the size and sha256 of each of the above, written last
    cases/<name>/quality.json            what was measured on the pictures (ltxbench.quality)
    enhance/output.txt                   what the process printed that enhanced the prompt, if there was one
    journal.jsonl                        what was begun and what ended, synced line by line (run.journal)
    superseded/<name>/round-<n>-<k>/     what the k-th attempt at a round left that was repeated

Until schema 2 a case ran once, and its files lay in cases/<name>/.
"""

from __future__ import annotations

from enum import StrEnum

from ltxbench.frozen import Frozen
from ltxbench.matrix.case import Case, Matrix
from ltxbench.run.conditions import Conditions, Examination
from ltxbench.weights.files import FROM_DISK, RANDOM

SCHEMA_VERSION = 2

CHECK_ROUND = 0
"""The round without step timer and memory sampler, which shows what these cost."""

MEMORY_COLUMNS = (
    "time_s",
    "phase",
    "mlx_active_bytes",
    "mlx_cache_bytes",
    "mlx_peak_bytes",
    "footprint_bytes",
    "device_bytes",
)
"""`device_bytes` is missing in series written before schema 2's rounds; at most thinning.LIMIT rows."""


class Phase(StrEnum):
    LOAD = "load"
    WARM_UP = "warm-up"
    """Work done once and thrown away, so that what is timed next does not compile kernels."""
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
    WATCHDOG = "GPU watchdog"
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
    device_bytes: int | None = None
    """The GPU's own counter for this process at the phase's end, where the GPU has memory of its own."""
    swapped_out_bytes: int | None = None
    """By the whole machine during the phase."""
    energy_j: float | None = None


class StepRecord(Frozen):
    stage: int
    index: int
    """From 0 within the whole case, as the steps are printed."""
    sigma: float | None
    """The noise level that the step starts from; None of an imported one that is not told."""
    forwards: int
    start_s: float
    step_s: float
    energy_j: float | None = None


class Times(Frozen):
    """The definitions in `TIME_DEFINITIONS`; None where a part was not reached."""

    generation_s: float | None = None
    load_s: float | None = None
    export_s: float | None = None
    wall_s: float | None = None
    warm_up_s: float | None = None


TIME_DEFINITIONS = {
    "generation": "text encoding + denoising + upscaling + VAE decoding, weights already in memory",
    "load": "reading weights, fusing LoRA and quantizing, for every component of the case",
    "export": "encoding the mp4",
    "warm-up": "work done once and thrown away before it is timed; part of none but the wall time",
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
    device_peak_bytes: int | None = None
    """The highest of the GPU's own counter for this process."""
    device_source: str | None = None
    swapped_out_bytes: int | None = None
    """By the whole machine while the case ran."""


class EnergyRecord(Frozen):
    source: str
    """Which counter, and of what: a GPU, a package, a whole machine."""
    resolution_s: float | None = None
    """How often the counter moves; figures of shorter stretches are absent."""
    total_j: float | None = None
    generation_j: float | None = None
    idle_power_w: float | None = None
    """Measured before the first case."""


class VideoRecord(Frozen):
    file: str | None
    """Relative to the round's folder; None where an earlier round made the same frames and keeps them."""
    width: int
    height: int
    frames: int
    fps: int
    size_bytes: int
    frames_sha256: str
    """Of the decoded uint8 frames [F,H,W,3], before the mp4 encoder."""
    frame_sha256: tuple[str, ...] = ()
    """Of each frame [H,W,3]."""
    lossless: str | None = None
    """The frames without loss (FFV1), where they were kept."""


class Failure(Frozen):
    message: str
    phase: Phase | None = None
    output_tail: str = ""


class Cooldown(Frozen):
    """What was waited for before a case."""

    waited_s: float
    settled: bool | None = None
    """The machine was back to its first rate when the wait ended; None for a fixed wait."""
    rate_share: float | None = None
    """The rate of matrix products when the wait ended, as a share of the run's first."""


class CaseRecord(Frozen):
    schema_version: int = SCHEMA_VERSION
    case: Case
    number: int
    """From 1, in the matrix's order."""
    round: int = 1
    """From 1; CHECK_ROUND is the one without instruments."""
    identity: str | None = None
    """sha256 of the resolved case, the code and the weights: what a resumed run trusts (run.identity)."""
    attempt: int = 1
    """From 1; an earlier one did not end well, and its files lie in superseded/."""
    cooldown: Cooldown | None = None
    outcome: Outcome
    failure: Failure | None = None
    started_utc: str
    times: Times = Times()
    memory: MemoryRecord = MemoryRecord()
    phases: tuple[PhaseRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    cold_steps: tuple[StepRecord, ...] = ()
    """The warm-up's: the first of each stage, in a process that had not run it before."""
    energy: EnergyRecord | None = None
    before: Conditions | None = None
    after: Conditions | None = None
    video: VideoRecord | None = None
    facts: dict[str, str | int | float | bool | None] = {}
    """What the engine reports about itself: dtype, noise_sha256, latent_sha256, lora_pairs, blas, ..."""


class Machine(Frozen):
    """Of an imported run, what the source does not tell is `unknown`, or None."""

    chip: str
    memory_bytes: int | None
    os: str
    arch: str
    accelerator: str | None = None
    """Name of the GPU that MLX uses, None on the CPU."""
    cpu_cores: int | None
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

    @property
    def full_size_random(self) -> bool:
        """Drawn from a seed, but at the size of the real model, whose cost is theirs."""
        return self.synthetic and self.kind.removesuffix(FROM_DISK) == RANDOM


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


class Schedule(Frozen):
    """In which order the cases ran, and what stood between them."""

    repeats: int = 1
    order: tuple[tuple[str, ...], ...] = ()
    """Names by round."""
    order_seed: int | None = None
    """None: every round in the matrix's order."""
    warm_up: bool = False
    cooldown: str | None = None
    """As it was asked for; None without."""
    check: bool = False
    """Each case also ran once without step timer and memory sampler."""


class Claim(Frozen):
    """A difference between two cases as a source states it, worked out again from the source's own figures."""

    text: str
    """As published."""
    what: str
    """The figure it is about: `average step`, `peak memory`, ..."""
    old: str | None = None
    new: str | None = None
    """Names of the two cases; None where they could not be told."""
    stated: float
    """Share of the old one's figure: -0.17 for "17% faster"."""
    recomputed: float | None = None
    """From the same two cases' figures."""
    qualified: bool = False
    """The data do not carry it as it stands."""
    qualification: str
    """In sentences for the page: what the claim is worth, with the figure for the same work."""


class Import(Frozen):
    """Where figures come from that were not measured here."""

    source: str
    source_sha256: str
    notes: tuple[str, ...] = ()
    """What the source leaves open, in sentences for the page."""
    as_published: dict[str, dict[str, str]] = {}
    """By the case's name: figures in the source's own words."""
    claims: tuple[Claim, ...] = ()


class Resumption(Frozen):
    """The run was taken up again."""

    utc: str
    kept: int
    """Rounds that were complete and verified."""
    notes: tuple[str, ...] = ()
    """What was found torn, in sentences."""
    examination: Examination | None = None


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
    schedule: Schedule = Schedule()
    examination: Examination | None = None
    conditioning_shared: bool | None = True
    """Every case encoded the same text; None where that is not known."""
    imported: Import | None = None
    selected: tuple[str, ...] = ()
    """The cases asked for, in order; all of the matrix's unless `--case` chose."""
    engine: str = "mlx"
    """`mlx` or `scripted`."""
    code_sha256: str | None = None
    """Of the source files that a case's process runs (run.identity)."""
    resumptions: tuple[Resumption, ...] = ()
