"""What the reader is told, from figures alone."""

from __future__ import annotations

from ltxbench.quality import QualityRecord, remarkable
from ltxbench.quality.records import Against, Artifacts, Exposure, FrameComparison, LatticePeak, Motion, VideoQuality


def record(
    grain: float = 0.2,
    lattice: float = 0.0,
    *,
    mesh: float = 0.0,
    sharpness: float = 0.6,
    flicker: float = 0.1,
    frozen: tuple[int, ...] = (),
    black: tuple[int, ...] = (),
    clipped: float = 0.0,
    against: tuple[Against, ...] = (),
) -> QualityRecord:
    peak = LatticePeak(period_x_px=8.0, period_y_px=None, amplitude=1.0, coherence=0.9)
    return QualityRecord(
        frames_sha256="ab" * 32,
        source="lossless",
        against=against,
        quality=VideoQuality(
            width=768,
            height=512,
            frames=25,
            sharpness=sharpness,
            exposure=Exposure(
                mean_level=100,
                darkest_frame_level=90,
                brightest_frame_level=110,
                contrast=180,
                clipped_dark_share=clipped,
                clipped_bright_share=0,
            ),
            motion=Motion(flicker=flicker, change=3.0, frozen_frames=frozen),
            black_frames=black,
            artifacts=Artifacts(
                score=max(grain / 2.0, lattice / 0.4, mesh / 0.4),
                lattice_rms=lattice,
                mesh_rms=mesh,
                grain_sigma=grain,
                peaks=(peak,) if lattice else (),
            ),
        ),
    )


def told(one: QualityRecord, *others: QualityRecord) -> list[tuple[str, str, str]]:
    cases = {"one": one} | {f"other-{index}": other for index, other in enumerate(others)}
    return [(found.case, found.badge.value, found.sentence) for found in remarkable(cases)]


def test_a_clean_case_gets_no_badge() -> None:
    assert told(record(), record(), record(), record()) == []


def test_a_score_from_one_on_stands_out_by_itself() -> None:
    [(case, badge, sentence)] = told(record(grain=3.0))
    assert (case, badge) == ("one", "artifacts")
    assert sentence == "Shows grain of 3.0 grey levels in its flat regions: artifact score 1.5, where 1 stands out."
    assert told(record(grain=1.9)) == []


def test_a_lattice_is_named_with_its_period() -> None:
    [(_, _, sentence)] = told(record(lattice=0.8))
    assert "a regular lattice of 0.8 grey levels with a period of 8 px" in sentence
    assert "grain" not in sentence


def test_a_mesh_has_a_name_of_its_own() -> None:
    [(_, _, sentence)] = told(record(mesh=0.6))
    assert "a mesh of 0.6 grey levels in all its parts: artifact score 1.5" in sentence


def test_a_lower_score_stands_out_beside_siblings_that_have_nothing() -> None:
    [(case, badge, sentence)] = told(record(grain=1.4), record(), record(), record())
    assert (case, badge) == ("one", "artifacts")
    assert "the median of the other cases is 0.1" in sentence
    assert told(record(grain=1.4), record(), record()) == []
    assert told(record(grain=1.4), *[record(grain=0.8)] * 3) == []
    assert told(record(grain=0.9), record(grain=0.1), record(grain=0.1), record(grain=0.1)) == []


def test_frames_that_are_black_or_frozen_are_counted() -> None:
    found = told(record(black=(0,), frozen=(4, 7)))
    assert found == [
        ("one", "black", "1 of 25 frames is black, frame 0 first."),
        ("one", "frozen", "2 of 25 frames are the same as the one before, frame 4 first."),
    ]


def test_flicker_clipping_and_softness_have_a_sentence_each() -> None:
    others = [record()] * 3
    assert [badge for _, badge, _ in told(record(flicker=3.0), *others)] == ["flicker"]
    assert [badge for _, badge, _ in told(record(clipped=0.3), *others)] == ["clipped"]
    assert [badge for _, badge, _ in told(record(sharpness=0.3), *others)] == ["soft"]
    assert told(record(sharpness=0.3)) == []


def test_a_quantized_case_that_left_its_twin_is_said() -> None:
    def against(ssim: float, why: str) -> QualityRecord:
        comparison = FrameComparison(
            source="lossless", identical=False, frames=25, identical_frames=0, psnr_db_mean=21.5, ssim_mean=ssim
        )
        return record(against=(Against(case="bf16", why=why, comparison=comparison),))

    assert told(against(0.7, "bf16 twin")) == [
        ("one", "diverges", "Another video than its bf16 twin bf16: SSIM 0.70, PSNR 21.5 dB.")
    ]
    assert told(against(0.97, "bf16 twin")) == []
    assert told(against(0.7, "reference case")) == []
