"""The decoder's kernels that change resolution: they interpolate, as `tiny`'s do, and mix channels at random.

Kernels random in every tap would decode to noise at the scale of a pixel, which shows nothing and makes videos that
no encoder can shorten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mlx.core as mx
import numpy as np

from ltxbench.weights.random.initial import Shape, Special
from ltxbench.weights.tiny.vae import EVENED, SMOOTH, colours, phases, stencil

Mixing = Callable[[int, int], mx.array]
"""mixing(outputs, inputs): a random matrix."""
FIRST_GAIN, DOUBLING_GAIN = 4.0, 1.5


def smoothing(shape: Shape, mixing: Mixing) -> mx.array:
    """[O,I,3,3,3]: neighbours blurred, and most of a tint common to all of them taken off."""
    taps = FIRST_GAIN * (stencil(SMOOTH, SMOOTH, SMOOTH) - np.float32(EVENED / 27))
    return mixing(*shape[:2])[:, :, None, None, None] * mx.array(taps)


def doubling(shape: Shape, mixing: Mixing) -> mx.array:
    """[4I,I,3,3,3]: each of the 8 places in a cell interpolated; the shuffled residual that lands there taken off."""
    inputs = shape[1]
    outputs = shape[0] // 8
    halves = phases(2)
    places = [(t, h, w) for t in range(2) for h in range(2) for w in range(2)]
    taps = mx.array(np.stack([stencil(halves[t], halves[h], halves[w]) for t, h, w in places]))
    mixed = DOUBLING_GAIN * mixing(outputs, inputs)[:, None, :, None, None, None] * taps[None, :, None]
    # The residual's channels are the input's, shuffled to the same places and repeated along the outputs.
    group = inputs // 8
    shuffled = (np.arange(outputs)[:, None] % group) * 8 + np.arange(8)
    residual = mx.array(shuffled)[..., None] == mx.arange(inputs)
    centre = np.zeros((3, 3, 3), np.float32)
    centre[1, 1, 1] = 1
    return (mixed - residual[..., None, None, None] * mx.array(centre)).reshape(shape)


def pixels(shape: Shape, mixing: Mixing) -> mx.array:  # noqa: ARG001 - the colours are not random
    """[3 p², I,3,3,3] in the order colour, column, row: each pixel of a patch interpolated in space."""
    inputs, patch = shape[1], round((shape[0] / 3) ** 0.5)
    still, places = np.array([0, 1, 0], np.float32), phases(patch)
    taps = mx.array(np.stack([stencil(still, places[y], places[x]) for x in range(patch) for y in range(patch)]))
    colour = mx.array(colours(inputs))
    return (colour[:, None, :, None, None, None] * taps[None, :, None]).reshape(shape)


KERNELS: Mapping[Special, Callable[[Shape, Mixing], mx.array]] = {
    Special.SMOOTHING: smoothing,
    Special.DOUBLING: doubling,
    Special.PIXELS: pixels,
}
