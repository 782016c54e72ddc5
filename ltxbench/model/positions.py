"""Where each token lies in the video: the bounds of its cell in seconds and pixels.

Official: ltx_core.components.patchifiers (get_patch_grid_bounds, get_pixel_coords) and ltx_core.tools.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ltxbench.matrix.case import SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION

Positions = npt.NDArray[np.float32]


class Grid(NamedTuple):
    """Size of a latent in cells. Its tokens run over frames, then rows, then columns (fastest)."""

    frames: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        return self.frames * self.height * self.width


def token_positions(grid: tuple[int, int, int], fps: float) -> Positions:
    """[1, 3, N, 2] float32: (start, end) of every token in time (seconds), height and width (pixels).

    The first latent frame holds one video frame, every further one eight: its bounds are clipped at 0 for that.
    """
    grid = Grid(*grid)
    if min(grid) < 1:
        raise ValueError(f"a latent grid needs at least one cell an axis, not {tuple(grid)}")
    if not fps > 0:
        raise ValueError(f"fps must be positive, not {fps}")
    starts = np.stack(np.meshgrid(*(np.arange(size) for size in grid), indexing="ij")).reshape(3, -1)
    cells = np.stack([starts, starts + 1], axis=-1)
    pixels = cells * np.array([TEMPORAL_COMPRESSION, SPATIAL_COMPRESSION, SPATIAL_COMPRESSION])[:, None, None]
    pixels[0] = np.maximum(pixels[0] + 1 - TEMPORAL_COMPRESSION, 0)
    positions: Positions = pixels.astype(np.float32)
    positions[0] /= np.float32(fps)
    return positions[None]
