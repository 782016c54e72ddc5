"""A mesh: isolated frequencies that stand out nearly everywhere in the frame, though phase and strength wander.

What is left of the noise in a latent differs from cell to cell, so the pattern that the decoder makes of it keeps its
frequency but not its phase; `lattice` does not see that. Here the power spectra of overlapping windows are compared
bin by bin: a low quantile over all windows keeps only what nearly every part of the frame shows, and a bin counts when
it stands far above its surroundings. Natural textures have broad spectra, and are not everywhere.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from ltxbench.quality.luma import Plane

WINDOW_PX = 64
STRIDE_PX = 32
QUANTILE = 0.15
"""Of the windows: the pattern may miss from about one in seven."""
LEAST_PROMINENCE = 5.0
"""In power, over the median of the surroundings."""
LONGEST_PERIOD_PX = 8.5
DRAWN = 0.3
"""Standard deviation below which a window is a drawn surface or a letterbox."""
FEWEST_WINDOWS = 24
RING_BINS = 4


def rms(plane: Plane) -> float:
    """Of luma [H,W]: the pattern's root mean square in grey levels, 0 where there is none."""
    spectra = _power_spectra(plane)
    if len(spectra) < FEWEST_WINDOWS:
        return 0.0
    # A single window's power is exponentially distributed: this factor takes its quantile to its mean.
    power = np.quantile(spectra, QUANTILE, axis=0) / -math.log(1 - QUANTILE)
    surroundings = _surroundings(power)
    frequency_y, frequency_x = fft.fftfreq(WINDOW_PX)[:, None], fft.rfftfreq(WINDOW_PX)[None]
    short = np.hypot(frequency_y, frequency_x) * LONGEST_PERIOD_PX >= 1
    excess = np.where(short & (power > LEAST_PROMINENCE * surroundings), power - surroundings, 0)
    twice = np.where((frequency_x == 0) | (frequency_x == 0.5), 1, 2)
    return float(np.sqrt((excess * twice).sum()) / WINDOW_PX)


def _power_spectra(plane: Plane) -> npt.NDArray[np.float32]:
    """Of every window that shows something, [N, WINDOW_PX, WINDOW_PX // 2 + 1]; white noise of 1 has 1 in every bin."""
    if min(plane.shape) < WINDOW_PX:
        return np.empty((0, WINDOW_PX, WINDOW_PX // 2 + 1), np.float32)
    from scipy.signal import windows  # half a second to import, and a report that only reads scores needs none

    hann = windows.hann(WINDOW_PX, sym=False).astype(np.float32)
    taper = np.outer(hann, hann)
    cells = np.lib.stride_tricks.sliding_window_view(plane, (WINDOW_PX, WINDOW_PX))[::STRIDE_PX, ::STRIDE_PX]
    cells = cells.reshape(-1, WINDOW_PX, WINDOW_PX)
    cells = cells[cells.std(axis=(1, 2)) > DRAWN]
    spectra = fft.rfft2((cells - cells.mean(axis=(1, 2), keepdims=True)) * taper, workers=1)
    power: npt.NDArray[np.float32] = np.abs(spectra) ** 2 / np.square(taper).sum()
    return power


def _surroundings(power: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The highest of three medians: of the bins around, the nearest left out, of those in line along x, and along y.

    Edges of one direction make ridges in the spectrum; a bin on a ridge is no peak.
    """
    conjugate = np.roll(power[::-1], 1, axis=0)
    whole = np.concatenate([conjugate[:, RING_BINS:0:-1], power, conjugate[:, -2 : -RING_BINS - 2 : -1]], axis=1)
    ring = np.ones((2 * RING_BINS + 1,) * 2, bool)
    ring[RING_BINS - 1 : RING_BINS + 2, RING_BINS - 1 : RING_BINS + 2] = False
    around = ndimage.median_filter(whole, footprint=ring, mode="wrap")
    lines = [ndimage.median_filter(whole, size=size, mode="wrap") for size in ((1, len(ring)), (len(ring), 1))]
    highest: npt.NDArray[np.floating] = np.maximum.reduce([around, *lines])
    return highest[:, RING_BINS:-RING_BINS]
