"""Full-size speed on one GPU beside the official PyTorch code: `python -m tests.parity.speed RESULT.json`.

Each side runs in a process of its own, in turns, so that neither holds the other's memory. Within one, a forward and
the guided step that is set against it take turns, since the card's clock follows its power and temperature. Random
weights: the time does not depend on their values. Writes what was measured; `python -m tests.parity.speed_table
RESULT.json` prints it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

SIZES = {
    "384 tokens": (4, 8, 12),
    "1,536 tokens": (4, 16, 24),
    "2,304 tokens": (4, 18, 32),
    "6,144 tokens": (16, 16, 24),
}
"""384x256, 768x512 and 1024x576 at 25 frames, 768x512 at 121 frames; in latent cells (F, H, W)."""
TEXT_TOKENS, FPS, SIGMA = 1024, 24, 0.725
WARM_UP, TURNS, REPEATS = 3, 3, 4
"""Repetitions that are not timed; and turns of so many that are, each behind one that is not."""
MATMUL, PRODUCTS = 8192, 10
"""Square products of that size, so many in a row: one alone is bound by its start and its end."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--side", choices=SIDES)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side]()))
        return
    rounds = []
    for _ in range(arguments.rounds):
        for side in SIDES:
            print(f"{side} ...", file=sys.stderr, flush=True)
            command = [sys.executable, "-m", "tests.parity.speed", str(arguments.result), "--side", side]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rounds.append({"side": side, **json.loads(output.splitlines()[-1])})
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    arguments.result.write_text(json.dumps({"python": platform.python_version(), "rounds": rounds}, indent=1) + "\n")


def timed(wait: Callable[[], object], *calls: Callable[[], object]) -> list[list[float]]:
    """Seconds of each repetition of each call, in turns; `wait` returns when the device is done."""
    for call in calls:
        for _ in range(WARM_UP - 1):
            call()
    samples: list[list[float]] = [[] for _ in calls]
    for _ in range(TURNS):
        for call, seconds in zip(calls, samples, strict=True):
            call()
            for _ in range(REPEATS):
                wait()
                start = time.perf_counter()
                call()
                wait()
                seconds.append(time.perf_counter() - start)
    return samples


def torch_side() -> dict[str, Any]:
    """The official transformer, eager, scaled-dot-product attention, bfloat16."""
    import torch
    from ltx_core.guidance.perturbations import BatchedPerturbationConfig
    from ltx_core.model.transformer.modality import Modality
    from ltx_core.model.transformer.model_configurator import LTXVideoOnlyModelConfigurator

    from tests.parity.reference_transformer import official_positions, transformer_config

    def wait() -> None:
        torch.cuda.synchronize()

    def matmul() -> list[float]:
        factor, start = torch.randn(2, MATMUL, MATMUL, device="cuda", dtype=torch.bfloat16)
        factor *= MATMUL**-0.5
        (samples,) = timed(wait, lambda: reduce(lambda product, _: factor @ product, range(PRODUCTS), start))
        return [seconds / PRODUCTS for seconds in samples]

    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "versions": {"torch": torch.__version__, "ltx-core": version("ltx-core")},
        "matmul_s": matmul(),
    }
    config = transformer_config(heads=32, head_dim=128, layers=48, channels=128, caption_channels=3840)
    with torch.device("meta"):
        module = LTXVideoOnlyModelConfigurator.from_config(config)
    module = module.to(torch.bfloat16).to_empty(device="cuda").eval()
    for parameter in module.parameters():
        std = parameter.shape[-1] ** -0.5 if parameter.ndim == 2 and parameter.shape[0] > 16 else 0.1
        torch.nn.init.normal_(parameter, 0, std)
    context = torch.randn(1, TEXT_TOKENS, 3840, device="cuda", dtype=torch.bfloat16)
    for name, grid in SIZES.items():
        frames, height, width = grid
        latent = torch.randn(1, frames * height * width, 128, device="cuda", dtype=torch.bfloat16)
        sigma = torch.tensor([SIGMA], device="cuda")
        positions = official_positions(grid, FPS).to("cuda")
        modality = Modality(latent, sigma, sigma.reshape(1, 1), positions, context)
        perturbations = BatchedPerturbationConfig.empty(1)
        torch.cuda.reset_peak_memory_stats()
        with torch.no_grad():
            (forward,) = timed(wait, lambda m=modality, p=perturbations: module(video=m, audio=None, perturbations=p))
        result[name] = {"forward_s": forward, "peak_bytes": torch.cuda.max_memory_allocated()}
    return result


def mlx_side() -> dict[str, Any]:
    """This project's transformer: text keys and values once a generation, everything else in the step."""
    import mlx.core as mx
    import numpy as np

    from ltxbench.matrix.case import Model
    from ltxbench.model.denoise import denoise, pack
    from ltxbench.model.guidance import Guidance
    from ltxbench.model.transformer import VideoTransformer
    from ltxbench.run.mlx_engine import MlxEngine
    from ltxbench.run.mlx_loading import materialize
    from ltxbench.weights.files import RandomWeights
    from ltxbench.weights.source import RandomSource

    MlxEngine()  # sets what a case's process sets

    def peak(call: Callable[[], None]) -> int:
        mx.synchronize()
        mx.clear_cache()
        mx.reset_peak_memory()
        for _ in range(WARM_UP):
            call()
        mx.synchronize()
        return mx.get_peak_memory()

    def matmul() -> list[float]:
        factor, start = mx.random.normal((2, MATMUL, MATMUL)).astype(mx.bfloat16)
        factor = factor * MATMUL**-0.5
        mx.eval(factor, start)
        (samples,) = timed(
            mx.synchronize,
            lambda: mx.eval(reduce(lambda product, _: factor @ product, range(PRODUCTS), start)),
        )
        return [seconds / PRODUCTS for seconds in samples]

    result: dict[str, Any] = {
        "device": str(mx.device_info()["device_name"]),
        "versions": {"mlx": version("mlx")},
        "matmul_s": matmul(),
    }
    checkpoint = RandomSource(RandomWeights(seed=0, size="19b")).unified(Model.DEV)
    transformer = VideoTransformer.from_checkpoint(checkpoint, mx.bfloat16)
    materialize(transformer)
    transformer.join_products()
    texts = mx.random.normal((2, TEXT_TOKENS, 3840)).astype(mx.bfloat16)

    def measured(grid: tuple[int, int, int]) -> dict[str, Any]:
        latent, sigma = pack(mx.random.normal((1, 128, *grid))), mx.array([SIGMA])
        sigmas, guidance = np.array([SIGMA, 0.6], np.float32), Guidance(cfg=4.0)

        def forward() -> None:
            mx.eval(transformer(latent, sigma, positive))

        def guided_step() -> None:
            mx.eval(denoise(transformer, latent, sigmas, positive, negative=negative, joined=joined, guidance=guidance))

        positive = transformer.prepare(texts[:1], grid, FPS)
        peak_bytes = peak(forward)
        joined = transformer.prepare(texts, grid, FPS)
        positive, negative = joined.halves()
        guided_peak_bytes = peak(guided_step)
        forward_s, guided_step_s = timed(mx.synchronize, forward, guided_step)
        return {
            "forward_s": forward_s,
            "peak_bytes": peak_bytes,
            "guided_step_s": guided_step_s,
            "guided_peak_bytes": guided_peak_bytes,
        }

    for name, grid in SIZES.items():
        result[name] = measured(grid)
    return result


SIDES: dict[str, Callable[[], dict[str, Any]]] = {"torch": torch_side, "mlx": mlx_side}

if __name__ == "__main__":
    main()
