"""What measuring costs: one case again and again, with and without sampler and step timer, interleaved.

    python -m tests.microbench.overhead [--matrix beaver-dam] [--case NAME] [--weights tiny] [--rounds 7]

Each round runs every arm once, in an order that changes from round to round:

    off      the clock is read around what generates, no step is awaited: a case of the check round
    again    the same, so that the difference between two equal things is known
    timer    with phases and steps timed and counters read between them
    sampler  with the memory sampler besides: a case as `ltxbench bench` runs it

and the same for the denoising loop of the case alone, on the same latent and text, where `off` hands all steps over as
one computation.

`generation` is the figure that the page gives, the time in phases that generate; the whole has loading besides, and
what is read between the phases. The difference is the median over the rounds of each round's own, so that a slow
minute does not count; beside it is that between the fastest rounds of both.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import median

import mlx.core as mx

from ltxbench.matrix import Case, find, load, select
from ltxbench.measure.counters import machine_counters
from ltxbench.measure.footprint import footprint_reader
from ltxbench.measure.memory import MemorySampler
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.model import noise
from ltxbench.model.denoise import denoise, pack
from ltxbench.model.schedule import sigmas_for
from ltxbench.model.tokenizer import MAX_TOKENS
from ltxbench.model.transformer import VideoTransformer
from ltxbench.run.engine import GenerateJob, Recorder
from ltxbench.run.events import Event, EventWriter, PhaseEnded
from ltxbench.run.mlx_engine import MlxEngine
from ltxbench.run.records import GENERATION, Phase
from ltxbench.weights.resolve import resolve
from ltxbench.weights.source import open_source
from tests.silent import SilentRecorder

Run = Callable[[Recorder], object]


@dataclass
class Tape:
    """What one run of an arm is recorded by."""

    recorder: Recorder
    generation_s: Callable[[], float]
    sampler: MemorySampler | None = None


@dataclass(frozen=True)
class Sample:
    generation_s: float
    wall_s: float
    cpu_s: float
    sampler_share: float | None = None
    """Of the wall time, during which the sampler's thread was computing."""


class Stopwatch(SilentRecorder):
    """Times what generates, and nothing within."""

    def __init__(self) -> None:
        super().__init__(stepped=False)
        self.generation_s = 0.0

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        mx.synchronize()
        start_s = time.perf_counter()
        yield
        mx.synchronize()
        if phase in GENERATION:
            self.generation_s += time.perf_counter() - start_s


@contextmanager
def off() -> Iterator[Tape]:
    watch = Stopwatch()
    yield Tape(watch, lambda: watch.generation_s)


@contextmanager
def recorded(*, sampled: bool) -> Iterator[Tape]:
    """As in a case's process, the events written to the null device."""
    engine, footprint = MlxEngine(), footprint_reader()
    descriptor = os.open(os.devnull, os.O_WRONLY)
    write, durations_s = EventWriter(descriptor), list[float]()

    def emit(event: Event) -> None:
        write(event)
        if isinstance(event, PhaseEnded) and event.record.phase in GENERATION:
            durations_s.append(event.record.duration_s)

    counters = machine_counters(engine.accelerator())
    recorder = CaseRecorder(engine, emit, footprint, counters=counters)
    sampler = MemorySampler(engine, recorder, emit, footprint, counters=counters)
    with sampler.running() if sampled else nullcontext():
        yield Tape(recorder, lambda: sum(durations_s), sampler if sampled else None)
    os.close(descriptor)


ARMS: dict[str, Callable[[], AbstractContextManager[Tape]]] = {
    "off": off,
    "again": off,
    "timer": partial(recorded, sampled=False),
    "sampler": partial(recorded, sampled=True),
}


def case_run(job: GenerateJob) -> Run:
    """The whole case, without its video file."""
    engine = MlxEngine()
    return partial(engine.generate, job)


def loop_run(case: Case, transformer: VideoTransformer, text_tokens: int) -> Run:
    """The steps of stage 1, without guidance."""
    stage = case.stages[0]
    grid = (case.latent_frames, stage.height // 32, stage.width // 32)
    config = transformer.config
    context = mx.array(noise.initial_noise(case.seed, (1, text_tokens, config.caption_channels)))
    conditioning = transformer.prepare(context, grid, case.fps)
    latent = pack(mx.array(noise.initial_noise(case.seed, (1, config.in_channels, *grid))))
    sigmas = sigmas_for(case, stage)

    def run(recorder: Recorder) -> None:
        on_step = partial(step, recorder)
        with recorder.phase(Phase.DENOISE_1):
            denoise(transformer, latent, sigmas, conditioning, stepped=recorder.stepped, on_step=on_step)

    return run


def step(recorder: Recorder, sigma: float, forwards: int) -> AbstractContextManager[None]:
    return recorder.step(stage=1, sigma=sigma, forwards=forwards, ahead=True)


def timed(arm: Callable[[], AbstractContextManager[Tape]], run: Run) -> Sample:
    with arm() as tape:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        run(tape.recorder)
        mx.synchronize()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    share = tape.sampler.cpu_s / wall_s if tape.sampler is not None else None
    return Sample(tape.generation_s(), wall_s, cpu_s, share)


def interleaved(run: Run, rounds: int) -> dict[str, list[Sample]]:
    """Samples of each arm, a round at a time; the first round warms up and does not count."""
    names = list(ARMS)
    taken: dict[str, list[Sample]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            sample = timed(ARMS[name], run)
            if number:
                taken[name].append(sample)
    return taken


def table(taken: dict[str, list[Sample]]) -> str:
    """Against the first arm."""
    (first, base), *_ = taken.items()
    titles = ("Arm", "Generation, median", f"against {first}", "lowest to highest", "fastest against fastest")
    titles += ("Whole, median", f"against {first}", "CPU, median", f"against {first}")
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    for name, samples in taken.items():
        cells = []
        for figure in ("generation_s", "wall_s", "cpu_s"):
            of, of_base = ([getattr(sample, figure) for sample in arm] for arm in (samples, base))
            ratios = [100 * (ours / reference - 1) for ours, reference in zip(of, of_base, strict=True)]
            cells += [f"{median(of):.3f} s", f"{median(ratios):+.2f}%"]
            if figure == "generation_s":
                fastest = 100 * (min(of) / min(of_base) - 1)
                cells += [f"{min(ratios):+.1f}% to {max(ratios):+.1f}%", f"{fastest:+.2f}%"]
        lines.append(f"| {' | '.join([name, *cells])} |")
    shares = [sample.sampler_share for sample in taken["sampler"] if sample.sampler_share is not None]
    lines += ["", f"The sampler itself computed for {100 * median(shares):.2f}% of the time."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--matrix", default="beaver-dam")
    parser.add_argument("--case", help="the matrix's first where none is named")
    parser.add_argument("--weights", default="tiny")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("case", "loop"), help="one of the two tables [default: both]")
    given = parser.parse_args()
    matrix = load(find(given.matrix))
    (case, *_) = select(matrix, [given.case] if given.case else [])
    files = resolve(given.weights, [case])
    prompt = matrix.conditioning or matrix.prompt
    job = GenerateJob(case=case, prompt=prompt, negative_prompt=matrix.negative_prompt, weights=files)
    print(f"{matrix.name}, case {case.name}, weights {given.weights}, {given.rounds} rounds")
    if given.only != "loop":
        print("\n" + table(interleaved(case_run(job), given.rounds)), flush=True)
    if given.only == "case":
        return
    transformer = VideoTransformer.from_checkpoint(open_source(files).unified(case.model), MlxEngine().dtype)
    mx.eval(transformer.parameters())
    transformer.join_products()
    print("\n" + table(interleaved(loop_run(case, transformer, MAX_TOKENS), given.rounds)))


if __name__ == "__main__":
    main()
