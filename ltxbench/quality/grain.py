"""Grain: noise where the picture should be even.

Judged on the flattest blocks of 16x16. In each, the level of a band of frequencies is the median modulus of its DCT
coefficients in the quietest of three directions, over 0.6745: sigma, if they are Gaussian (Donoho and Johnstone,
Biometrika 81, 1994). Noise fills every coefficient of every direction; texture and edges are sparse and have a
direction. Their spectrum also falls steeply, where that of noise is even: a share of the next coarser band's energy
is taken off, and what is left counts the less, the more relief the block has: there it would not be seen.

Fine grain is looked for at periods of 2 to 4 px. Grain that is two or three pixels wide, as decoders and encoders
leave it, has nothing there, and is looked for at periods of 5 to 10 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from ltxbench.quality.luma import Plane

BLOCK = 16
DARKEST, BRIGHTEST = 6.0, 249.0
"""Mean of a block, in grey levels: beyond, clipping hides what noise there is."""
DRAWN = 0.05
"""Standard deviation below which a block is a drawn surface or a letterbox."""
FLATTEST_SHARE = 0.07
FEWEST_BLOCKS = 20
MEDIAN_OF_NORMAL = 0.6745

RELIEF = (0.03, 0.1)
"""Cycles per pixel: what is larger than grain."""
MASKING = 3.0
"""Grey levels of relief that hide half of the grain's energy: fur or leaves may leave no place even."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Band:
    """Frequencies in cycles per pixel."""

    grain: tuple[float, float]
    texture: tuple[float, float]
    """Where the flattest blocks are those with the least energy."""
    texture_share: float
    """Of the texture's energy per coefficient: what a natural spectrum leaves in the grain's band."""
    weight: float
    """Of the fine band: by what the least of three medians falls short of sigma. Of the coarse one: brings its false
    alarms to the same level."""


FINE = Band(grain=(0.25, 0.5), texture=(0.08, 0.18), texture_share=0.05, weight=1.3)
COARSE = Band(grain=(0.1, 0.2), texture=(0.03, 0.1), texture_share=0.2, weight=0.58)


def sigma(plane: Plane) -> float:
    """Of luma [H,W] in grey levels: the standard deviation of its grain, 0 where there is none.

    That of white noise; of coarser grain a number that stands out at the same height.
    """
    moduli = _spectra(plane)
    if len(moduli) < FEWEST_BLOCKS:
        return 0.0
    return max(band.weight * _level(moduli, band) for band in (FINE, COARSE))


def _spectra(plane: Plane) -> Plane:
    """Moduli of the DCT of the blocks that show something, [N,BLOCK,BLOCK]."""
    height, width = (length - length % BLOCK for length in plane.shape)
    cells = plane[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    blocks = cells.swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    mean = blocks.mean(axis=(1, 2))
    shown = blocks[(mean > DARKEST) & (mean < BRIGHTEST) & (blocks.std(axis=(1, 2)) > DRAWN)]
    moduli: Plane = np.abs(fft.dctn(shown, axes=(1, 2), norm="ortho", workers=1))
    return moduli


def _level(moduli: Plane, band: Band) -> float:
    texture = np.mean(moduli[:, _ring(*band.texture)] ** 2, axis=1)
    flattest = np.argsort(texture, kind="stable")[: max(FEWEST_BLOCKS, int(FLATTEST_SHARE * len(moduli)))]
    parts = [np.median(moduli[flattest][:, part], axis=1) for part in _directions(*band.grain)]
    level = np.min(parts, axis=0) / MEDIAN_OF_NORMAL
    excess = np.maximum(level**2 - band.texture_share * texture[flattest], 0)
    relief = np.sum(moduli[flattest][:, _ring(*RELIEF)] ** 2, axis=1) / BLOCK**2
    return float(np.sqrt(np.median(excess / (1 + relief / MASKING**2))))


def _ring(low: float, high: float) -> Mask:
    down, across = np.mgrid[:BLOCK, :BLOCK]
    frequency = np.hypot(down, across) / (2 * BLOCK)
    ring: Mask = (frequency >= low) & (frequency < high)
    return ring


def _directions(low: float, high: float) -> tuple[Mask, ...]:
    """A ring in three: nearly upright, oblique, nearly level."""
    down, across = np.mgrid[:BLOCK, :BLOCK]
    degrees = np.degrees(np.arctan2(down, across))
    ring = _ring(low, high)
    return ring & (degrees < 30), ring & (degrees >= 30) & (degrees < 60), ring & (degrees >= 60)
