"""Moves cells between channels and the axes of channels-last video [B,F,H,W,C].

Official: rearrange patterns of ltx_core.model.video_vae.{ops,sampling}. A cell's channels are stored as
(channel, time, height, width) with the last fastest, except for pixels, stored as (channel, width, height).
"""

from __future__ import annotations

import mlx.core as mx

from ltxbench.model.vae.config import Stride


def depth_to_space(x: mx.array, stride: Stride) -> mx.array:
    """[B,F,H,W,C*t*h*w] -> [B,F*t,H*h,W*w,C]."""
    batch, frames, height, width, channels = x.shape
    t, h, w = stride
    x = x.reshape(batch, frames, height, width, channels // (t * h * w), t, h, w)
    x = x.transpose(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(batch, frames * t, height * h, width * w, -1)


def space_to_depth(x: mx.array, stride: Stride) -> mx.array:
    """[B,F*t,H*h,W*w,C] -> [B,F,H,W,C*t*h*w]."""
    batch, frames, height, width, channels = x.shape
    t, h, w = stride
    x = x.reshape(batch, frames // t, t, height // h, h, width // w, w, channels)
    x = x.transpose(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(batch, frames // t, height // h, width // w, -1)


def unpatchify(x: mx.array, patch: int) -> mx.array:
    """[B,F,H,W,C*p*p] -> [B,F,H*p,W*p,C]."""
    batch, frames, height, width, channels = x.shape
    x = x.reshape(batch, frames, height, width, channels // patch**2, patch, patch)
    x = x.transpose(0, 1, 2, 6, 3, 5, 4)
    return x.reshape(batch, frames, height * patch, width * patch, -1)


def patchify(x: mx.array, patch: int) -> mx.array:
    """[B,F,H*p,W*p,C] -> [B,F,H,W,C*p*p]."""
    batch, frames, height, width, channels = x.shape
    x = x.reshape(batch, frames, height // patch, patch, width // patch, patch, channels)
    x = x.transpose(0, 1, 2, 4, 6, 5, 3)
    return x.reshape(batch, frames, height // patch, width // patch, channels * patch**2)
