"""The spatial upscaler's file: no key prefix."""

from __future__ import annotations

import numpy as np

from ltxbench.weights.tiny.layers import Tensors, conv
from ltxbench.weights.tiny.numbers import F32, normal
from ltxbench.weights.tiny.sizes import Sizes


def upscaler(sizes: Sizes, label: str) -> Tensors:
    width, latent, kernel = sizes.upscaler_width, sizes.latent_channels, (3, 3, 3)
    tensors = conv(label, "initial_conv", width, latent, kernel) | _norm(label, "initial_norm", width)
    for stage in ("res_blocks", "post_upsample_res_blocks"):
        for index in range(sizes.upscaler_blocks):
            for half in (1, 2):
                block = f"{stage}.{index}"
                tensors |= conv(label, f"{block}.conv{half}", width, width, kernel)
                tensors |= _norm(label, f"{block}.norm{half}", width)
    tensors |= conv(label, "upsampler.conv", 4 * width, width, (3, 3))
    binomial = np.array([1, 4, 6, 4, 1], np.float32)
    kernel_2d: F32 = binomial[:, None] * binomial[None, :] / np.float32(256)
    tensors["upsampler.blur_down.kernel"] = kernel_2d[None, None]
    return tensors | conv(label, "final_conv", latent, width, kernel, gain=1.2)


def _norm(label: str, name: str, width: int) -> Tensors:
    return {
        f"{name}.weight": normal(f"{label}/{name}.weight", (width,), 0.1, 1.0),
        f"{name}.bias": normal(f"{label}/{name}.bias", (width,), 0.1),
    }
