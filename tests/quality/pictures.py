"""Photographs that scikit-image ships, and what is done to them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw
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


def with_grain(frame: Frames, sigma: float, seed: int = 0, blur_px: float = 0.0, *, shot: bool = False) -> Frames:
    """Gaussian noise of `sigma` grey levels in every channel on its own, or blurred and of one brightness.

    That of `shot` has its sigma at half the light and grows with the light's root.
    """
    rng = np.random.default_rng(seed)
    if not blur_px:
        scale = np.sqrt(frame / 128) if shot else 1.0
        return to_uint8(frame + scale * rng.normal(0, sigma, frame.shape))
    noise = ndimage.gaussian_filter(rng.normal(size=frame.shape[:2]), blur_px)
    return to_uint8(frame + (noise * sigma / noise.std())[..., None])


def with_lattice(
    frame: Frames, amplitude: float, period_px: float, phase: float = 1.0, *, turns: tuple[float, ...] = (0.0, 90.0)
) -> Frames:
    """A grid of waves along x and y, or along `turns` in degrees; `amplitude` grey levels where all crests meet."""
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    turn = 2 * np.pi / period_px
    waves = [
        np.cos(turn * (x * np.cos(angle) + y * np.sin(angle)) + phase / number)
        for number, angle in enumerate(np.radians(turns), start=1)
    ]
    return to_uint8(frame + amplitude * np.mean(waves, axis=0)[..., None])


def fur(width: int = 768, height: int = 512, seed: int = 3) -> Frames:
    """Drawn, and over the whole frame: hairs of every brightness, combed in ways that turn slowly."""
    rng = np.random.default_rng(seed)
    drawn = Image.new("L", (2 * width, 2 * height), 110)
    pen = ImageDraw.Draw(drawn)
    ways = ndimage.zoom(rng.normal(1.0, 0.5, (5, 7)), (height / 5, width / 7), order=3)
    for x, y, length, jitter, grey in zip(
        rng.uniform(0, 2 * width, 25000),
        rng.uniform(0, 2 * height, 25000),
        rng.uniform(15, 45, 25000),
        rng.normal(0, 0.12, 25000),
        rng.normal(110, 45, 25000),
        strict=True,
    ):
        angle = ways[min(int(y / 2), height - 1), min(int(x / 2), width - 1)] + jitter
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        pen.line((x, y, *end), fill=int(np.clip(grey, 0, 255)), width=3)
    return np.asarray(drawn.resize((width, height), Image.Resampling.LANCZOS).convert("RGB"), np.uint8)


def rough(slope: float, contrast: float, width: int = 768, height: int = 512, seed: int = 3) -> Frames:
    """Leaves and water as their spectrum has it: amplitudes that fall with frequency**slope, and chance phases."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    noise = np.random.default_rng(seed).normal(size=(height, width))
    plane = np.fft.irfft2(np.fft.rfft2(noise) * frequency**-slope, s=(height, width))
    return to_uint8(np.repeat((128 + contrast * plane / plane.std())[..., None], 3, axis=-1))


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
