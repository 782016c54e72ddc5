"""The figures of docs/quality.md: `python -m tests.quality.measure_artifacts [--tuned FOLDER] [--held-out FOLDER]`.

The folders hold photographs. Those of scikit-image belong to the ones that the score was tuned on. Without a folder
of others, the table of artifacts is made with the tuned ones, and says so.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy import ndimage

from ltxbench.quality.artifacts import artifacts
from ltxbench.quality.luma import Frames
from tests.quality.pictures import (
    PHOTOGRAPHS,
    fitted,
    jpeg,
    pan,
    through_h264,
    to_uint8,
    with_grain,
    with_lattice,
    with_lines,
    with_mesh,
)

WIDTH = 768
Change = Callable[[Frames], Frames]


def sharpened(frame: Frames) -> Frames:
    soft = ndimage.gaussian_filter(frame.astype(np.float32), (1, 1, 0))
    return to_uint8(frame + 1.0 * (frame - soft))


def blurred(frame: Frames) -> Frames:
    return to_uint8(ndimage.gaussian_filter(frame.astype(np.float32), (1, 1, 0)))


def resized(frame: Frames, factor: float) -> Frames:
    height, width = (2 * round(length * factor / 2) for length in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


def letterboxed(frame: Frames) -> Frames:
    boxed = frame.copy()
    boxed[: len(frame) // 8] = boxed[-(len(frame) // 8) :] = 0
    return boxed


def darkened(frame: Frames) -> Frames:
    return to_uint8(frame * 0.25)


def in_part(change: Callable[[Frames, float, float], Frames], frame: Frames, share: tuple[float, float]) -> Frames:
    """A pattern of 4 grey levels and 8 px in the upper left part."""
    height, width = (round(length * part) for length, part in zip(frame.shape, share, strict=False))
    partly = frame.copy()
    partly[:height, :width] = change(frame, 4, 8)[:height, :width]
    return partly


def filmed(frames: Callable[[Frames], Frames], crf: int = 20) -> Change:
    """A pan over the photograph, changed frame by frame and compressed."""

    def change(frame: Frames) -> Frames:
        with tempfile.TemporaryDirectory() as folder:
            return through_h264(np.stack([frames(one) for one in pan(frame, 5)]), Path(folder) / "a.mp4", crf)

    return change


def grainy_video(sigma: float, crf: int = 20) -> Change:
    seeds = iter(range(1 << 30))
    return filmed(lambda frame: with_grain(frame, sigma, next(seeds)), crf)


CLEAN: dict[str, Change] = {
    "as it is": lambda frame: frame,
    "JPEG 90": lambda frame: jpeg(frame, 90),
    "JPEG 75": lambda frame: jpeg(frame, 75),
    "JPEG 50": lambda frame: jpeg(frame, 50),
    "two thirds of the size": lambda frame: resized(frame, 2 / 3),
    "enlarged by 1.33": lambda frame: resized(frame, 4 / 3),
    "sharpened": sharpened,
    "blurred": blurred,
    "letterbox": letterboxed,
    "a quarter of the light": darkened,
    "pan, H.264 crf 20": filmed(lambda frame: frame),
    "pan, H.264 crf 28": filmed(lambda frame: frame, 28),
}
GRAIN: dict[str, Change] = {
    **{f"grain {sigma}": lambda frame, sigma=sigma: with_grain(frame, sigma) for sigma in (1, 2, 3, 4, 6)},
    "grain 4 that grows with the light": lambda frame: with_grain(frame, 4, shot=True),
    "grain 6 in a quarter of the light": lambda frame: with_grain(darkened(frame), 6),
    "grain 4, letterbox": lambda frame: letterboxed(with_grain(frame, 4)),
    **{
        f"coarse grain {sigma}": lambda frame, sigma=sigma: with_grain(frame, sigma, blur_px=1.0) for sigma in (3, 5, 8)
    },
    **{f"grain {sigma}, H.264 crf 20": grainy_video(sigma) for sigma in (4, 6, 8)},
}
LATTICE: dict[str, Change] = {
    **{
        f"waves {amplitude}, period {period}": lambda frame, a=amplitude, p=period: with_lattice(frame, a, p)
        for period in (2, 4, 8, 16, 32)
        for amplitude in (1, 2, 4)
    },
    **{
        f"{name} 4, period {period}": lambda frame, p=period, t=turns: with_lattice(frame, 4, p, turns=t)
        for name, turns in {"diagonal waves": (45.0, 135.0), "hexagonal waves": (10.0, 70.0, 130.0)}.items()
        for period in (4, 8, 16)
    },
    **{
        f"waves 4, period 8, in {name} of the frame": lambda frame, s=share: in_part(with_lattice, frame, s)
        for name, share in {"half": (1.0, 0.5), "a quarter": (0.5, 0.5)}.items()
    },
    **{
        f"lines {amplitude}, period {period}": lambda frame, a=amplitude, p=period: with_lines(frame, a, p)
        for period in (4, 8, 16, 32)
        for amplitude in (2, 4)
    },
    **{
        f"mesh {amplitude}, period {period}": lambda frame, a=amplitude, p=period: with_mesh(frame, a, p)
        for period in (4, 8)
        for amplitude in (2, 4)
    },
    "mesh 4, period 8, H.264 crf 20": filmed(lambda frame: with_mesh(frame, 4, 8)),
    **{
        f"waves {amplitude}, period {period}, H.264 crf 20": filmed(
            lambda frame, a=amplitude, p=period: with_lattice(frame, a, p)
        )
        for period in (4, 8)
        for amplitude in (2, 4)
    },
}


def main(tuned_folder: Path | None, held_out_folder: Path | None) -> None:
    tuned = [Path(skimage.__file__).parent / "data" / name for name in PHOTOGRAPHS] + _files(tuned_folder)
    sets = {"tuned": _photographs(tuned), "held out": _photographs(_files(held_out_folder))}
    print(f"{len(sets['tuned'])} photographs tuned on, {len(sets['held out'])} held out\n")
    sets = {name: photographs for name, photographs in sets.items() if photographs}
    clean = {name: _clean_table(name, photographs) for name, photographs in sets.items()}
    judged = list(sets)[-1]
    print(f"| {judged}, with | found | median score | AUC against clean |")
    print("|---|---:|---:|---:|")
    for name, change in (GRAIN | LATTICE).items():
        one = _scores(sets[judged].values(), change)
        print(f"| {name} | {_share(one >= 1)} | {np.median(one):.2f} | {_auc(clean[judged], one):.3f} |", flush=True)
    _widths(sets[judged])


def _clean_table(title: str, photographs: dict[str, Frames]) -> np.ndarray:
    """Prints false alarms by condition; returns the scores of the pictures as they are and as a compressed pan."""
    print(f"| {title}, clean | above 1 | median | 95% below | highest |")
    print("|---|---:|---:|---:|---:|")
    scores = {}
    for name, change in CLEAN.items():
        one = scores[name] = _scores(photographs.values(), change)
        print(f"| {name} | {_share(one >= 1)} | {_quantiles(one)} |", flush=True)
    pooled = np.concatenate(list(scores.values()))
    print(f"| together | {_share(pooled >= 1)} | {_quantiles(pooled)} |\n")
    print("Highest as they are: " + ", ".join(_highest(list(photographs), scores["as it is"])) + "\n")
    return np.concatenate([scores[name] for name in ("as it is", "pan, H.264 crf 20")])


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.iterdir()) if folder is not None else []


def _photographs(paths: list[Path]) -> dict[str, Frames]:
    return {path.stem: fitted(path, min(WIDTH, _width(path))) for path in paths}


def _quantiles(scores: np.ndarray) -> str:
    return f"{np.median(scores):.2f} | {np.percentile(scores, 95):.2f} | {scores.max():.2f}"


def _widths(photographs: dict[str, Frames]) -> None:
    print("\n| score at width, median | 512 | 640 | 768 | 896 | 1024 |\n|---|---:|---:|---:|---:|---:|")
    wide = {path: frame for path, frame in photographs.items() if frame.shape[1] >= WIDTH}
    rows: dict[str, Change] = {
        "grain 4": lambda frame: with_grain(frame, 4),
        "waves 4, period 8": lambda frame: with_lattice(frame, 4, 8),
        "lines 4, period 16": lambda frame: with_lines(frame, 4, 16),
    }
    for name, change in rows.items():
        medians = [
            np.median(_scores((resized(frame, width / frame.shape[1]) for frame in wide.values()), change))
            for width in (512, 640, 768, 896, 1024)
        ]
        print(f"| {name} | " + " | ".join(f"{median:.2f}" for median in medians) + " |")


def _scores(frames: Iterable[Frames], change: Change) -> np.ndarray:
    found = []
    for frame in frames:
        changed = change(frame)
        found.append(artifacts(changed if changed.ndim == 4 else changed[None]).score)
    return np.array(found)


def _auc(clean: np.ndarray, other: np.ndarray) -> float:
    """How often a picture with the artifact scores above a clean one; ties count half."""
    return float(np.mean(other[:, None] > clean[None]) + 0.5 * np.mean(other[:, None] == clean[None]))


def _share(found: np.ndarray) -> str:
    return f"{100 * np.mean(found):.0f}% ({found.sum()}/{len(found)})"


def _highest(names: list[str], scores: np.ndarray) -> list[str]:
    return [f"{names[index]} {scores[index]:.2f}" for index in np.argsort(-scores)[:8]]


def _width(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", type=Path)
    parser.add_argument("--held-out", type=Path)
    arguments = parser.parse_args()
    main(arguments.tuned, arguments.held_out)
