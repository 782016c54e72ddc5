"""How the values of each tensor are distributed, told by its name and shape.

Every linear map keeps the size of what goes through it, norms are near 1, gates open: activations stay of order one
at any depth, and bfloat16 neither overflows nor underflows over a guided run.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Uniform:
    """Independent values, evenly distributed about the mean."""

    std: float
    mean: float = 0.0
    row_means: tuple[float, ...] | None = None
    """One mean for each entry of the first axis, in place of `mean`."""
    opposed: bool = False
    """Neighbouring inputs have opposite weights, so that a mean which all of them share cancels out."""


class Special(Enum):
    BITS = "bits"
    """Words of 32 random bits: the packed levels of a quantized matrix."""
    BLUR = "blur"
    """The binomial 5x5 kernel of the upscaler's resampler."""
    SMOOTHING = "smoothing"
    """The decoder's first convolution."""
    DOUBLING = "doubling"
    """A convolution of the decoder whose channels become twice the frames, rows and columns."""
    PIXELS = "pixels"
    """The decoder's last convolution, whose channels become pixels."""


Initial = Uniform | Special

GATED = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)
"""Rows of a block's table: shift, scale and gate of the attention, then of the feed-forward."""
DETAIL = 0.6
"""What a residual block of the decoder adds at its own scale, against what it is given."""
LORA_STRENGTH = 0.5
"""Size of a LoRA's update against the weight that it is added to."""

# The first pattern found in a name decides.
_FIXED: tuple[tuple[str, Initial], ...] = (
    # A thousand keys would average out to nothing under queries of size 1.
    (r"attn2\.q_norm\.weight$", Uniform(0.3, 3.0)),
    (r"\.q_norm\.weight$", Uniform(0.2, 2.0)),
    (r"\.k_norm\.weight$", Uniform(0.1, 1.0)),
    (r"transformer_blocks\..*\.scale_shift_table$", Uniform(0.3, row_means=GATED)),
    (r"scale_shift_table$", Uniform(0.1)),
    (r"learnable_registers$", Uniform(1.0)),
    (r"^statistics/mean-of-means$", Uniform(0.1)),
    (r"^statistics/std-of-means$", Uniform(0.1, 1.0)),
    (r"^decoder/conv_in\.conv\.weight$", Special.SMOOTHING),
    (r"^decoder/up_blocks\.\d+\.conv\.conv\.weight$", Special.DOUBLING),
    (r"^decoder/conv_out\.conv\.weight$", Special.PIXELS),
    (r"blur_down\.kernel$", Special.BLUR),
    (r"norm[12]?\.weight$", Uniform(0.1, 1.0)),
    (r"norm[12]?\.bias$", Uniform(0.1)),
    (r"\.bias$", Uniform(0.02)),
)
# Of what remains, linear maps and convolutions: the standard deviation is the gain over the root of the fan-in.
_GAINS: tuple[tuple[str, float], ...] = (
    (r"^transformer/proj_out\.", 0.4),
    (r"attn1\.to_out\.", 1.5),
    (r"attn2\.to_out\.", 2.0),
    (r"caption_projection\.linear_2\.", 1.5),
    (r"timestep_embedder\.linear_1\.", 2.0),
    (r"timestep_embedder\.linear_2\.", 0.3),
    (r"^upscaler/final_conv\.", 1.2),
    (r"\.lora_B\.", LORA_STRENGTH),
)


def initial(name: str, shape: Shape) -> Initial:
    """`name` begins with its component: transformer/, connector/, projection/, decoder/, upscaler/ and so on."""
    for pattern, found in _FIXED:
        if re.search(pattern, name):
            return found
    if re.search(r"^decoder/.*\.conv[12]\.conv\.weight$", name):
        half = DETAIL if ".conv2." in name else 1.0
        return Uniform(2 * half / math.sqrt(math.prod(shape[1:])), opposed=True)
    gain = next((gain for pattern, gain in _GAINS if re.search(pattern, name)), 1.0)
    return Uniform(gain / math.sqrt(math.prod(shape[1:])))


def scales(inputs: int, bits: int) -> Uniform:
    """Steps between the levels of a matrix whose evenly distributed levels then keep the size of what goes through."""
    level_std = math.sqrt((4**bits - 1) / 12)
    step = 1 / (level_std * math.sqrt(inputs))
    return Uniform(0.1 * step, step)


def offsets(steps: Uniform, bits: int) -> Uniform:
    """Drawn like the steps, so that nought is halfway between the lowest level and the highest."""
    middle = -(2**bits - 1) / 2
    return Uniform(middle * steps.std, middle * steps.mean)


def gemma_norm(name: str) -> Uniform:
    """Gemma adds one to the stored weight."""
    return Uniform(0.05, 1.0 if name.endswith("q_norm.weight") else 0.0)
