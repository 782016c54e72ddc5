"""What measuring costs: one case again and again, with and without sampler and step timer, interleaved.

    python -m tests.microbench.overhead [--matrix beaver-dam] [--case NAME] [--weights tiny] [--rounds 7]

Each round runs every arm once, in an order that changes from round to round:

    off      nothing is timed but the whole, no step is awaited
    again    the same, so that the difference between two equal things is known
    timer    with phases and steps timed, the device awaited around each
    sampler  with the memory sampler besides, as `ltxbench bench` runs it

and the denoising loop of the case alone, on the same latent and text, with the sampler running throughout:

    unstepped  all steps as one computation, awaited at the end, as `ltxbench bench --check` runs it
    stepped    as the pipeline runs it, timed step by step

The difference is the median over the rounds of each round's own, so that a slow minute does not count; beside it is
that between the fastest rounds of both. Wall time is what matters; CPU time of the process is there because others
cannot take it away.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
from ltxbench.run.events import EventWriter
from ltxbench.run.mlx_engine import MlxEngine
from ltxbench.run.records import Phase
from ltxbench.weights.resolve import resolve
from ltxbench.weights.source import open_source
from tests.silent import SilentRecorder

Seconds = tuple[float, float]
"""Wall and CPU."""
Arm = Callable[[], object]


@contextmanager
def recording(*, sampler: bool, shares: list[float] | None = None) -> Iterator[CaseRecorder]:
    """As in a case's process, the events written to the null device; adds the sampler's share of the time."""
    engine, footprint = MlxEngine(), footprint_reader()
    descriptor = os.open(os.devnull, os.O_WRONLY)
    emit = EventWriter(descriptor)
    counters = machine_counters(engine.accelerator())
    recorder = CaseRecorder(engine, emit, footprint, counters=counters)
    memory = MemorySampler(engine, recorder, emit, footprint, counters=counters)
    with memory.running() if sampler else nullcontext():
        yield recorder
    if shares is not None:
        shares.append(memory.cpu_s / recorder.now_s())
    os.close(descriptor)


def case_arms(job: GenerateJob, shares: list[float]) -> dict[str, Arm]:
    """`shares` collects how much of a case's time the sampler's thread was computing."""
    engine = MlxEngine()

    def run(recorder: Recorder) -> None:
        engine.generate(job, recorder)
        mx.synchronize()

    def recorded(*, sampler: bool) -> None:
        with recording(sampler=sampler, shares=shares if sampler else None) as recorder:
            run(recorder)

    off = partial(run, SilentRecorder(stepped=False))
    return {
        "off": off,
        "again": off,
        "timer": partial(recorded, sampler=False),
        "sampler": partial(recorded, sampler=True),
    }


def loop_arms(case: Case, transformer: VideoTransformer, text_tokens: int, recorder: CaseRecorder) -> dict[str, Arm]:
    """Stage 1 without guidance."""
    stage = case.stages[0]
    grid = (case.latent_frames, stage.height // 32, stage.width // 32)
    config = transformer.config
    context = mx.array(noise.initial_noise(case.seed, (1, text_tokens, config.caption_channels)))
    conditioning = transformer.prepare(context, grid, case.fps)
    latent = pack(mx.array(noise.initial_noise(case.seed, (1, config.in_channels, *grid))))
    sigmas = sigmas_for(case, stage)

    def unstepped() -> None:
        with recorder.phase(Phase.DENOISE_1):
            denoise(transformer, latent, sigmas, conditioning, stepped=False)

    def stepped() -> None:
        with recorder.phase(Phase.DENOISE_1):
            denoise(transformer, latent, sigmas, conditioning, on_step=partial(step, recorder))

    return {"unstepped": unstepped, "stepped": stepped}


def step(recorder: CaseRecorder, sigma: float, forwards: int) -> AbstractContextManager[None]:
    return recorder.step(stage=1, sigma=sigma, forwards=forwards, ahead=True)


def timed(arm: Arm) -> Seconds:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    arm()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


def interleaved(arms: dict[str, Arm], rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of each arm, a round at a time; the first round warms up and does not count."""
    names = list(arms)
    taken: dict[str, list[Seconds]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seconds = timed(arms[name])
            if number:
                taken[name].append(seconds)
    return taken


def table(taken: dict[str, list[Seconds]]) -> str:
    """Against the first arm."""
    (first, base), *_ = taken.items()
    titles = ("Arm", "Wall, median", f"Wall against {first}", "lowest to highest", "fastest against fastest")
    titles += ("CPU, median", f"CPU against {first}")
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    for name, samples in taken.items():
        ratios = [[100 * (s[kind] / b[kind] - 1) for s, b in zip(samples, base, strict=True)] for kind in (0, 1)]
        wall_s, cpu_s = (median(s[kind] for s in samples) for kind in (0, 1))
        fastest = 100 * (min(s[0] for s in samples) / min(b[0] for b in base) - 1)
        lines.append(
            f"| {name} | {wall_s:.3f} s | {median(ratios[0]):+.2f}% | {min(ratios[0]):+.1f}% to {max(ratios[0]):+.1f}% "
            f"| {fastest:+.2f}% | {cpu_s:.3f} s | {median(ratios[1]):+.2f}% |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--matrix", default="beaver-dam")
    parser.add_argument("--case", help="the matrix's first where none is named")
    parser.add_argument("--weights", default="tiny")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("case", "loop"), help="the arms of one of the two tables [default: both]")
    given = parser.parse_args()
    matrix = load(find(given.matrix))
    (case, *_) = select(matrix, [given.case] if given.case else [])
    files = resolve(given.weights, [case])
    prompt = matrix.conditioning or matrix.prompt
    job = GenerateJob(case=case, prompt=prompt, negative_prompt=matrix.negative_prompt, weights=files)
    print(f"{matrix.name}, case {case.name}, weights {given.weights}, {given.rounds} rounds\n")
    if given.only != "loop":
        shares: list[float] = []
        print(table(interleaved(case_arms(job, shares), given.rounds)))
        print(f"\nThe sampler itself computed for {100 * median(shares):.2f}% of the case's time.\n", flush=True)
    if given.only == "case":
        return
    transformer = VideoTransformer.from_checkpoint(open_source(files).unified(case.model), MlxEngine().dtype)
    mx.eval(transformer.parameters())
    transformer.join_products()
    with recording(sampler=True) as recorder:
        arms = loop_arms(case, transformer, MAX_TOKENS, recorder)
        print(table(interleaved(arms, given.rounds)))


if __name__ == "__main__":
    main()
