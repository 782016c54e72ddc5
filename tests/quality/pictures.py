"""Photographs that scikit-image ships, and what is done to them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy import ndimage

from ltxbench.quality.frames import read
from ltxbench.quality.luma import Frames
from ltxbench.run.video import write_video

PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "moon.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


def photograph(name: str, width: int | None = None) -> Frames:
    """uint8 [H,W,3] with even sizes, scaled to a width when one is given."""
    return fitted(Path(skimage.__file__).parent / "data" / name, width)


def fitted(path: Path, width: int | None, at_most: int = 1024) -> Frames:
    with Image.open(path) as image:
        picture = image.convert("RGB")
    wanted = width or min(at_most, picture.width)
    if wanted != picture.width:
        size = (wanted, round(picture.height * wanted / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    height, width = (length - length % 2 for length in (picture.height, picture.width))
    return np.asarray(picture, np.uint8)[:height, :width]


def to_uint8(values: np.ndarray) -> Frames:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def with_grain(frame: Frames, sigma: float, seed: int = 0, blur_px: float = 0.0) -> Frames:
    """Gaussian noise of `sigma` grey levels in every channel on its own, or blurred and of one brightness."""
    rng = np.random.default_rng(seed)
    if not blur_px:
        return to_uint8(frame + rng.normal(0, sigma, frame.shape))
    noise = ndimage.gaussian_filter(rng.normal(size=frame.shape[:2]), blur_px)
    return to_uint8(frame + (noise * sigma / noise.std())[..., None])


def with_lattice(frame: Frames, amplitude: float, period_px: float, phase: float = 1.0) -> Frames:
    """A grid of waves along x and y; `amplitude` grey levels from the mean to the highest crest."""
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    turn = 2 * np.pi / period_px
    pattern = amplitude / 2 * (np.cos(turn * x + phase) + np.cos(turn * y + phase / 2))
    return to_uint8(frame + pattern[..., None])


def with_mesh(frame: Frames, amplitude: float, period_px: float, seed: int = 0, cell_px: int = 32) -> Frames:
    """Crossed waves whose strength and sign are drawn anew for every cell of a latent, and blend between them."""
    height, width = frame.shape[:2]
    strength = np.random.default_rng(seed).normal(size=(height // cell_px + 2, width // cell_px + 2))
    strength = ndimage.zoom(strength, cell_px, order=1)[:height, :width]
    y, x = np.mgrid[:height, :width]
    turn = 2 * np.pi / period_px
    pattern = amplitude * strength / strength.std() * np.cos(turn * x) * np.cos(turn * y)
    return to_uint8(frame + pattern[..., None])


def with_lines(frame: Frames, amplitude: float, period_px: int) -> Frames:
    """Lines one pixel wide, along x and y, brighter by `amplitude` grey levels."""
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    return to_uint8(frame + amplitude * ((x % period_px == 0) | (y % period_px == 0))[..., None])


def jpeg(frame: Frames, quality: int) -> Frames:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"), np.uint8)


def pan(frame: Frames, count: int = 9, step: tuple[int, int] = (1, 3)) -> Frames:
    """[F,H,W,3]: a camera that moves over the picture."""
    height, width = (length - (count - 1) * shift for length, shift in zip(frame.shape[:2], step, strict=True))
    height, width = height - height % 2, width - width % 2
    return np.stack(
        [
            frame[index * step[0] : index * step[0] + height, index * step[1] : index * step[1] + width]
            for index in range(count)
        ]
    )


def through_h264(frames: Frames, path: Path, crf: int = 20) -> Frames:
    """As the mp4 of a case shows them."""
    write_video(path, frames, fps=24, crf=crf)
    return read(path)
