"""The artifact score on photographs, with lattices and grain laid over them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ltxbench.quality import grain, lattice
from ltxbench.quality.artifacts import artifacts
from ltxbench.quality.luma import Frames, luma, without_bars
from tests.quality.pictures import (
    PHOTOGRAPHS,
    fur,
    jpeg,
    pan,
    photograph,
    rough,
    through_h264,
    to_uint8,
    with_grain,
    with_lattice,
    with_lines,
    with_mesh,
)

TEXTURES = ("grass.png", "gravel.png", "brick.png")
EVEN = ("astronaut.png", "coffee.png", "rocket.jpg")


def score(frame: Frames) -> float:
    return artifacts(frame if frame.ndim == 4 else frame[None]).score


@cache
def clean_scores() -> dict[str, float]:
    return {name: score(photograph(name, 512)) for name in PHOTOGRAPHS}


def test_no_clean_photograph_stands_out_whatever_its_texture() -> None:
    assert max(clean_scores().values()) < 1, clean_scores()


@pytest.mark.parametrize("name", EVEN)
@pytest.mark.parametrize("period_px", [2, 4, 5.3, 8, 16])
def test_a_faint_lattice_ranks_above_every_clean_photograph(name: str, period_px: float) -> None:
    assert score(with_lattice(photograph(name, 512), 4, period_px)) > max(clean_scores().values())


@pytest.mark.parametrize(
    "turns", [(0.0, 90.0), (45.0, 135.0), (10.0, 70.0, 130.0)], ids=["square", "diagonal", "hexagonal"]
)
def test_a_lattice_is_found_whichever_way_it_lies(turns: tuple[float, ...]) -> None:
    lattices = [score(with_lattice(photograph(name, 512), 4, 8, turns=turns)) for name in EVEN]
    assert min(lattices) > max(clean_scores().values())


def test_two_waves_of_one_period_need_not_stand_as_high_as_one() -> None:
    """In fur, at a period of which a tile holds fewer than five."""
    frame = photograph("chelsea.png")
    both = artifacts(with_lattice(frame, 4, 20)[None])
    one = artifacts(with_lattice(frame, 2, 20, turns=(0.0,))[None])
    assert both.lattice_rms == pytest.approx(2, rel=0.3)
    assert one.lattice_rms < 0.4


def test_a_wave_of_a_pair_counts_once() -> None:
    noise = np.random.default_rng(0).normal(128, 3, (511, 701, 1)).repeat(3, axis=-1)
    plane = luma(with_lattice(to_uint8(noise), 8, 8))
    assert lattice.rms(lattice.peaks(plane[None])) == pytest.approx(4, rel=0.1)


def test_edges_that_are_not_quite_level_are_no_lattice() -> None:
    """Those that tilt by a few pixels lie bins beside an axis of the transform, and there they gather."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :768]
    facade = 128 + rng.normal(0, 1, (512, 768))
    for start in rng.uniform(0, 512, 100):
        facade += rng.normal(0, 12) * np.clip(y + 6 * x / 768 - start, 0, 1)
    plane = np.clip(facade, 0, 255).astype(np.float32)
    assert lattice.rms(lattice.peaks(plane[None])) < 0.4


@pytest.mark.parametrize("name", TEXTURES)
def test_a_lattice_is_found_under_dense_texture_too(name: str) -> None:
    assert score(with_lattice(photograph(name, 512), 6, 4)) > max(clean_scores().values())


@pytest.mark.parametrize("name", EVEN)
def test_thin_lines_of_a_long_period_are_found_by_their_harmonics(name: str) -> None:
    assert score(with_lines(photograph(name, 512), 6, 32)) > max(clean_scores().values())


@pytest.mark.parametrize("name", EVEN)
def test_fine_grain_ranks_above_every_clean_photograph(name: str) -> None:
    assert score(with_grain(photograph(name, 512), 4)) > max(clean_scores().values())


@pytest.mark.parametrize("name", EVEN)
def test_coarse_grain_ranks_above_every_clean_photograph(name: str) -> None:
    assert score(with_grain(photograph(name, 512), 8, blur_px=1.0)) > max(clean_scores().values())


@pytest.mark.parametrize("name", EVEN)
@pytest.mark.parametrize("period_px", [4, 8])
def test_a_mesh_that_changes_from_cell_to_cell_ranks_above_every_clean_photograph(name: str, period_px: float) -> None:
    assert score(with_mesh(photograph(name, 768), 4, period_px)) > max(clean_scores().values())


@pytest.mark.parametrize("texture", [fur(), rough(1.2, 20), rough(1.5, 45)], ids=["fur", "leaves", "water"])
def test_texture_that_leaves_no_place_even_is_no_grain(texture: Frames) -> None:
    assert score(texture) < min(1, score(with_grain(photograph("coffee.png", 512), 3)))


@pytest.mark.parametrize("sigma", [3, 6])
def test_grain_is_measured_in_grey_levels_of_luma(sigma: float) -> None:
    noise = np.random.default_rng(0).normal(0, sigma, (256, 384)) + 128
    assert grain.sigma(noise.astype(np.float32)) == pytest.approx(sigma, rel=0.1)


def test_a_lattice_is_measured_with_its_period_and_amplitude() -> None:
    x = np.arange(384)
    texture = luma(photograph("astronaut.png", 384))[:256, :384]
    plane = (texture + 3 * np.cos(2 * np.pi * x / 8 + 0.7)).astype(np.float32)
    peak = lattice.peaks(plane[None])[0]
    assert peak.period_x_px == pytest.approx(8, abs=0.05)
    assert peak.period_y_px is None
    assert peak.amplitude == pytest.approx(3, rel=0.15)
    assert peak.rms == pytest.approx(peak.amplitude / np.sqrt(2))


@pytest.mark.parametrize("period_px", [512 / 60.5, 20.0])
def test_the_amplitude_holds_between_two_bins_and_at_long_periods(period_px: float) -> None:
    """The first falls midway between two frequencies of the transform; the high pass takes a sixth of the second."""
    plane = luma(with_lattice(to_uint8(np.full((512, 512, 3), 128) + texture()), 8, period_px))
    found = [peak.amplitude for peak in lattice.peaks(plane[None]) if None in (peak.period_x_px, peak.period_y_px)]
    assert max(found) == pytest.approx(4, rel=0.08)


def texture() -> np.ndarray:
    """3 grey levels strong."""
    return np.random.default_rng(0).normal(0, 3, (512, 512, 1))


def test_a_checkerboard_of_single_pixels_counts_with_its_whole_amplitude() -> None:
    y, x = np.mgrid[:256, :384]
    plane = luma(photograph("astronaut.png", 384))[:256, :384] + 3 * (-1.0) ** (x + y)
    assert lattice.rms(lattice.peaks(plane[None].astype(np.float32))) == pytest.approx(3, rel=0.15)


def test_a_texture_that_repeats_in_one_place_is_no_lattice() -> None:
    frame = photograph("coffee.png", 512).copy()
    fence = with_lattice(frame, 40, 8)
    frame[40:140, 60:200] = fence[40:140, 60:200]
    found = artifacts(frame[None])
    assert found.lattice_rms < 0.2
    assert found.mesh_rms < 0.2


def test_a_pattern_whose_phase_wanders_is_no_lattice() -> None:
    frame = photograph("coffee.png", 512)
    x = np.arange(frame.shape[1]) + 12 * np.sin(np.arange(frame.shape[1]) / 60)
    wandering = to_uint8(frame + 4 * np.cos(2 * np.pi * x / 8)[None, :, None])
    assert artifacts(wandering[None]).lattice_rms < 0.25 * artifacts(with_lattice(frame, 8, 8)[None]).lattice_rms


def test_long_rows_whose_phase_wanders_a_little_are_no_lattice() -> None:
    """Windows of a facade: so few of them are in a tile that their phase hardly leaves it."""
    wander = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(512, 768)), 60)
    x = np.arange(768)[None] + 3.5 * wander / wander.std()
    rows = to_uint8(photograph("coffee.png", 768) + 10 * np.cos(2 * np.pi * x / 30)[..., None])
    assert artifacts(rows[None]).lattice_rms < 0.3


def test_a_pattern_that_moves_with_the_camera_is_no_lattice_in_a_video() -> None:
    scene = with_lattice(photograph("coffee.png", 512), 4, 8)
    moving = pan(scene, 5, (1, 3))
    fixed = np.stack([with_lattice(frame, 4, 8) for frame in pan(photograph("coffee.png", 512), 5, (1, 3))])
    assert artifacts(fixed).lattice_rms > 0.8
    assert artifacts(moving).lattice_rms < 0.2


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_the_blocks_of_jpeg_are_no_lattice(quality: int) -> None:
    found = artifacts(jpeg(photograph("astronaut.png"), quality)[None])
    assert found.lattice_rms < 0.3
    assert found.mesh_rms < 0.3


def test_a_lattice_and_grain_survive_the_encoder_of_the_videos(tmp_path: Path) -> None:
    clean = pan(photograph("coffee.png", 512), 5)
    grainy = np.stack([with_grain(frame, 8, seed) for seed, frame in enumerate(clean)])
    latticed = np.stack([with_lattice(frame, 4, 8) for frame in clean])
    coded = [score(through_h264(frames, tmp_path / "a.mp4")) for frames in (clean, grainy, latticed)]
    assert coded[0] < 0.5
    assert coded[1] > 1
    assert coded[2] > 1


def test_letterboxes_neither_hide_an_artifact_nor_make_one() -> None:
    def boxed(frame: Frames) -> Frames:
        picture = frame.copy()
        picture[:60] = picture[-60:] = 0
        return picture

    frame = photograph("astronaut.png")
    assert score(boxed(frame)) < 1
    assert score(boxed(with_grain(frame, 4))) > 1
    assert score(boxed(with_lattice(frame, 4, 8))) > 1


def test_a_letterbox_is_left_out_before_anything_is_measured() -> None:
    frame = photograph("astronaut.png")
    boxed = np.zeros((700, 560, 3), np.uint8)
    boxed[60:572, 20:532] = frame
    boxed[:60:2, ::3] = 2
    cropped = artifacts(frame[None])
    assert artifacts(boxed[None]).grain_sigma == pytest.approx(cropped.grain_sigma, rel=0.02)
    assert without_bars(luma(boxed)[None]).shape == (1, 512, 512)


def test_the_grain_of_a_night_sky_is_no_letterbox() -> None:
    dark = luma(with_grain(to_uint8(photograph("rocket.jpg", 384) * 0.1), 4))
    assert without_bars(dark[None]).shape == (1, *dark.shape)


def test_artifacts_are_found_in_the_dark() -> None:
    dark = to_uint8(photograph("coffee.png", 512) * 0.25)
    assert score(dark) < 1
    assert score(with_grain(dark, 6)) > 1
    assert score(with_lattice(dark, 4, 8)) > 1


@pytest.mark.parametrize("kind", ["grain", "lattice"])
def test_the_score_hardly_depends_on_the_width(kind: str) -> None:
    scores = []
    for width in (512, 768, 1024):
        frame = photograph("coffee.png", width)
        scores.append(score(with_grain(frame, 4) if kind == "grain" else with_lattice(frame, 4, 8)))
    assert max(scores) / min(scores) < 1.25


@pytest.mark.parametrize("frame", [np.zeros((512, 768, 3)), np.full((512, 768, 3), 255), np.full((40, 30, 3), 90)])
def test_a_frame_that_shows_nothing_scores_nothing(frame: Frames) -> None:
    assert score(frame.astype(np.uint8)) == 0


def test_a_drawn_gradient_of_equal_steps_scores_and_a_dithered_one_does_not() -> None:
    across = np.broadcast_to(np.arange(768) / 3.0, (512, 768))
    dither = np.random.default_rng(7).uniform(-0.5, 0.5, across.shape)
    drawn, dithered = (score(np.repeat(to_uint8(plane)[..., None], 3, axis=-1)) for plane in (across, across + dither))
    assert drawn == pytest.approx(1.7, abs=0.1)
    assert dithered == pytest.approx(0.2, abs=0.1)
