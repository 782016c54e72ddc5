from __future__ import annotations

import gc
import json
import threading
import time
from pathlib import Path

import pytest

from ltxbench.errors import ResultError
from ltxbench.report import manifest, write
from ltxbench.run import store
from ltxbench.run.records import Outcome
from ltxbench.run.store import RunFolder
from tests.report import markdown
from tests.report.runs import BEAVER, bare, make_matrix, make_record, many, store_run


def small_run(root: Path, count: int = 2, *, plots: bool = False) -> RunFolder:
    """Without anything to plot unless asked for: drawing takes seconds."""
    records = [make_record(case, number) for number, case in enumerate(BEAVER[:count], start=1)]
    if not plots:
        records = [bare(record) for record in records]
    return store_run(root, records, make_matrix(BEAVER[:count]), videos=True, memory=plots)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Path]:
    root = tmp_path_factory.mktemp("published")
    run = small_run(root / "runs", plots=True)
    return run, write(run, root / "reports" / "beaver-dam").parent


def test_the_report_holds_the_run_the_stills_and_the_plots(published: tuple[RunFolder, Path]) -> None:
    run, report = published
    plots = {
        f"plots/{name}.{kind}" for name in ("steps", "phases", "memory", "tradeoff") for kind in ("svg", "png", "json")
    }
    pictures = {f"frames/{case.name}{end}" for case in BEAVER[:2] for end in ("_frame_12.png", "_sheet.png", ".webp")}
    pictures |= {"frames/contact-sheet.png"}
    copied = {f"run/{name}" for name in contents(run.path)}
    interactive = {name for name in contents(report) if name.startswith(("assets/", "posters/"))} | {"index.html"}
    assert len(interactive) > 2
    assert set(contents(report)) == {"README.md", manifest.FILE} | plots | pictures | copied | interactive


def test_the_run_is_copied_verbatim(published: tuple[RunFolder, Path]) -> None:
    run, report = published
    assert contents(report / "run") == contents(run.path)


def test_every_link_of_the_page_leads_to_a_file(published: tuple[RunFolder, Path]) -> None:
    _, report = published
    links = markdown.links((report / "README.md").read_text())
    assert any(link.endswith(".mp4") for link in links)
    assert [link for link in links if not (report / link).exists()] == []


def test_a_still_is_the_videos_frame(published: tuple[RunFolder, Path]) -> None:
    import numpy as np
    from PIL import Image

    from ltxbench.run.video import read_frame

    run, report = published
    video = run.video_path("dev")
    assert video is not None
    with Image.open(report / "frames" / "dev_frame_12.png") as still:
        frame = read_frame(video, 12)
        assert np.array_equal(np.asarray(still)[: len(frame)], frame)


def test_making_the_page_again_from_its_own_run_gives_the_same_bytes(published: tuple[RunFolder, Path]) -> None:
    _, report = published
    before = contents(report)
    write(store.load(report / "run"), report)
    assert contents(report) == before


def test_what_the_previous_page_wrote_goes_and_what_others_wrote_stays(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "beaver-dam"
    write(small_run(tmp_path / "both", 2), report)
    for name in ("notes.txt", "plots/mine.svg", "frames/mine_frame_12.png"):
        (report / name).parent.mkdir(exist_ok=True)
        (report / name).write_text("mine")
    write(small_run(tmp_path / "one", 1), report)
    kept = {name for name in contents(report) if not name.startswith("run/")}
    assert {"notes.txt", "plots/mine.svg", "frames/mine_frame_12.png", "frames/distilled_frame_12.png"} <= kept
    assert "frames/dev_frame_12.png" not in kept
    assert not (report / "run/cases/dev").exists()


def test_a_list_that_was_tampered_with_removes_nothing_elsewhere(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "beaver-dam"
    write(small_run(tmp_path / "runs", 1), report)
    outside = tmp_path / "reports" / "precious.png"
    outside.write_text("precious")
    (report / "LICENSE").write_text("precious")
    listed = json.loads((report / manifest.FILE).read_text())
    names = ("../precious.png", "plots/../../precious.png", str(outside), "LICENSE", "plots/..", "run/run.json")
    listed["files"] |= {name: {"sha256": ""} for name in names}
    (report / manifest.FILE).write_text(json.dumps(listed))
    write(store.load(report / "run"), report)
    assert outside.exists()
    assert (report / "LICENSE").exists()


def test_a_torn_list_is_a_clear_error_and_changes_nothing(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "beaver-dam"
    write(small_run(tmp_path / "runs", 1), report)
    (report / manifest.FILE).write_text('{"files": ')
    before = contents(report)
    with pytest.raises(ResultError, match="torn or edited"):
        write(store.load(report / "run"), report)
    assert contents(report) == before


def test_the_list_of_an_older_page_is_still_read(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "beaver-dam"
    (report / "plots").mkdir(parents=True)
    (report / "plots" / "old.svg").write_text("old")
    (report / manifest.FILE).write_text("README.md\nplots/old.svg\n")
    write(small_run(tmp_path / "runs", 1), report)
    assert not (report / "plots" / "old.svg").exists()


def test_a_failing_rendering_leaves_the_page_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "reports" / "beaver-dam"
    write(small_run(tmp_path / "old", 1), report)
    before = contents(report)
    torn = small_run(tmp_path / "new", 2)
    (torn.path / "cases" / "dev" / "round-1" / "memory.csv").write_text("time_s,phase\n1,load\n")
    with pytest.raises(ResultError, match="no column mlx_active_bytes"):
        write(torn, report)
    assert contents(report) == before
    assert [path.name for path in report.parent.iterdir()] == ["beaver-dam"]


def test_a_torn_video_is_told_on_the_page(tmp_path: Path) -> None:
    run = small_run(tmp_path / "runs", 1)
    video = run.video_path("distilled")
    assert video is not None
    video.write_bytes(b"torn" + video.read_bytes()[4:300])
    page = write(run, tmp_path / "report").read_text()
    assert "The video file cannot be read." in page
    assert "frames/" not in page


def test_a_still_beyond_the_end_is_told_on_the_page(tmp_path: Path) -> None:
    run = store_run(
        tmp_path, [bare(make_record(BEAVER[0], 1))], make_matrix(BEAVER[:1], stills=(0, 99)), videos=True, memory=False
    )
    page = write(run, tmp_path / "report").read_text()
    assert "The video has no frame 99." in page
    assert "frames/distilled_frame_0.png" in page
    assert "frame 99\n" not in page


def test_a_run_without_samples_videos_or_success_still_makes_a_page(tmp_path: Path) -> None:
    records = [make_record(case, n, outcome=Outcome.SIGNAL) for n, case in enumerate(BEAVER[:2], start=1)]
    records[1] = records[1].model_copy(update={"phases": (), "steps": (), "facts": {}, "failure": None})
    run = store_run(tmp_path, records, make_matrix(BEAVER[:2]), memory=False)
    page = write(run, tmp_path / "report")
    assert sorted(path.name for path in (page.parent / "plots").glob("*.svg")) == ["phases.svg", "steps.svg"]
    assert "Left out for lack of data: #2." in page.read_text()
    assert "No reason was recorded." in page.read_text()


def test_a_run_of_nothing_makes_a_page(tmp_path: Path) -> None:
    page = write(store_run(tmp_path, [], make_matrix(BEAVER[:1])), tmp_path / "report").read_text()
    assert "not&nbsp;run" in page


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_after_a_page_as_before_it(tmp_path: Path, collecting: bool) -> None:
    run = store_run(tmp_path, [make_record(BEAVER[0], 1)], make_matrix(BEAVER[:1]), memory=False)
    before = gc.isenabled()
    try:
        gc.enable() if collecting else gc.disable()
        write(run, tmp_path / "report")
        assert gc.isenabled() is collecting
    finally:
        gc.enable() if before else gc.disable()


def test_a_thousand_cases_make_a_page(tmp_path: Path) -> None:
    cases = many(1000)
    records = [make_record(case, number, scale=1 + number % 13 / 5) for number, case in enumerate(cases, start=1)]
    run = store_run(tmp_path, records[:1], make_matrix(cases))
    run = RunFolder(run.path, run.record, tuple(records))
    started = time.process_time()
    page = write(run, tmp_path / "report").read_text()
    assert time.process_time() - started < 10
    assert page.count("| <a href=") >= 1000


def test_what_a_killed_writer_left_goes_with_the_next_page_and_other_pages_are_left_alone(tmp_path: Path) -> None:
    run, page = small_run(tmp_path / "runs"), tmp_path / "reports" / "small"
    left = [page.parent / ".small.ab12_x3z.tmp", page / ".run.old-0123abcd", page / ".run.new-0123abcd"]
    others = [page.parent / ".small.more.ab12_x3z.tmp", page.parent / ".other.ab12_x3z.tmp", page / ".mine"]
    for folder in (*left, *others):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    write(run, page)
    assert [folder for folder in left if folder.exists()] == []
    assert all((folder / "file").exists() for folder in others)


def test_a_second_writer_of_a_page_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, page = small_run(tmp_path / "runs"), tmp_path / "reports" / "small"
    publish, second = store.publish, threading.Thread(target=write, args=(run, page))

    def slowly(source: Path, destination: Path) -> None:
        if threading.current_thread() is not second:
            second.start()
            second.join(0.5)
            assert second.is_alive()
        publish(source, destination)

    monkeypatch.setattr(store, "publish", slowly)
    write(run, page)
    second.join(60)
    assert not second.is_alive()
    assert contents(page / "run") == contents(run.path)
    assert list(page.parent.glob(".*")) == []
