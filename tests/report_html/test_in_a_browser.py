"""The page as a reader uses it: played, stepped, sorted, filtered and compared, by mouse and by keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ltxbench.report.html import write_comparison
from ltxbench.trust.comparison import compare_runs
from tests.report.runs import make_matrix, make_record, many, store_run
from tests.report_html import pages
from tests.report_html.conftest import WAIT_MS, keep

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]

IN_STEP = """(milliseconds) => new Promise((done) => {
  const seen = [], start = performance.now();
  function look(now) {
    const all = ltxbench.transport.positions();
    const frames = all.filter((one) => one.shown_s !== null && !one.ended).map((one) => one.shown_s * one.fps);
    if (!all.some((one) => one.waiting) && frames.length > 1) seen.push(Math.max(...frames) - Math.min(...frames));
    if (now - start < milliseconds) requestAnimationFrame(look);
    else done(seen);
  }
  requestAnimationFrame(look);
})"""


def until(page: Page, condition: str) -> None:
    """Playwright's own wait evaluates a string in the page, which the page forbids."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(30)


def to_videos(page: Page, count: int = 4) -> None:
    """Scrolls there, and waits until so many can be played."""
    page.locator("#players").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#players').scrollIntoView()")
    until(
        page,
        f"ltxbench.transport.positions().length >= {count}"
        " && [...document.querySelectorAll('#players video')].every((one) => one.readyState >= 2 && !one.seeking)",
    )


def rows(page: Page) -> list[str]:
    """The cases' numbers in the table's order."""
    return [text.strip() for text in page.locator("#table tbody tr td.column-n").all_inner_texts()]


def shown_frames(page: Page) -> set[int]:
    """The frames that the players rest at, once they do."""
    until(page, "[...document.querySelectorAll('#players video')].every((one) => !one.seeking)")
    return set(page.evaluate("ltxbench.transport.positions().map((one) => Math.floor(one.current_s * one.fps))"))


def test_all_videos_play_within_one_frame_of_each_other(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.click("#play")
        page.wait_for_timeout(600)
        apart = sorted(page.evaluate(IN_STEP, 2500))
        page.click("#play")
        assert len(apart) > 10
        assert apart[int(0.9 * len(apart))] <= 1.01
        assert len(shown_frames(page)) == 1


def test_the_arrow_keys_step_all_videos_frame_by_frame(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        start = page.evaluate("ltxbench.transport.frame")
        assert start == 12
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert shown_frames(page) == {10}
        page.keyboard.press("ArrowRight")
        assert shown_frames(page) == {11}
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert shown_frames(page) == {0}, "after the last frame of a loop comes the first"
        page.focus("#query")
        page.keyboard.press("ArrowRight")
        assert shown_frames(page) == {0}, "a field that is typed in keeps its keys"


def test_the_scrubber_and_the_loop_are_obeyed(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.locator("#scrub").fill("3")
        assert shown_frames(page) == {3}
        assert page.locator("#scrub").get_attribute("aria-valuetext") == "frame 3 of 12, 0.13 s"
        page.uncheck("#loop")
        page.click("#play")
        until(page, "!ltxbench.transport.playing")
        assert shown_frames(page) == {12}


def test_videos_of_other_lengths_and_rates_are_in_step_by_time(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        held = page.evaluate(
            """() => {
              const video = document.createElement("video");
              const half = ltxbench.transport.add(video, {frames: 4, fps: 12}, 99);
              half.active = true;
              video.src = ltxbench.state.cases[0].clip.src;
              return new Promise((done) => video.addEventListener("loadeddata", () => {
                const places = [];
                for (const index of [0, 5, 12]) { ltxbench.transport.goToFrame(index); places.push(video.currentTime); }
                ltxbench.transport.remove(half);
                done(places);
              }));
            }"""
        )
        assert held == pytest.approx([0.5 / 12, 2.5 / 12, 3.5 / 12], abs=1e-3)


def test_two_cases_are_compared_by_divider_and_difference(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.click("[data-compare='1']")
        assert page.locator("#stage").is_hidden()
        page.click("[data-compare='8']")
        assert page.locator("#stage").is_visible()
        assert page.locator("[data-compare='1']").get_attribute("aria-pressed") == "true"
        page.locator("input[value=divider]").check(force=True)
        divider = page.locator("#divider")
        box = page.locator("#pictures").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40, steps=4)
        page.mouse.up()
        assert divider.get_attribute("aria-valuenow") == "25"
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.picture.b')).clipPath") == "inset(0px 0px 0px 25%)"
        )
        frame = page.evaluate("ltxbench.transport.frame")
        divider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("PageUp")
        assert divider.get_attribute("aria-valuenow") == "36"
        page.keyboard.press("End")
        assert divider.get_attribute("aria-valuetext") == "100% A, 0% B"
        assert page.evaluate("ltxbench.transport.frame") == frame
        keep(page, "divider", full=False)
        page.locator("input[value=difference]").check(force=True)
        assert divider.is_hidden()
        page.locator("#amplify").fill("5")
        assert page.locator("#amplify-value").inner_text() == "32×"
        assert page.evaluate("getComputedStyle(document.querySelector('.picture.b')).mixBlendMode") == "difference"
        assert page.evaluate("getComputedStyle(document.querySelector('#pictures')).filter") == "brightness(32)"
        keep(page, "difference", full=False)
        page.click("#stage-close")
        assert page.evaluate("document.activeElement.dataset.compare") == "1"


def test_the_difference_of_a_case_with_itself_is_black(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.evaluate("ltxbench.stage.show(2, 2)")
        page.locator("input[value=difference]").check(force=True)
        until(page, "[...document.querySelectorAll('#stage video')].every((one) => one.readyState >= 2)")
        page.locator("#pictures").scroll_into_view_if_needed()
        same = brightest(page)
        page.select_option("#stage-b", "7")
        until(page, "document.querySelector('#video-b').readyState >= 2")
        page.wait_for_timeout(300)
        assert same <= 8 < brightest(page)


def brightest(page: Page) -> int:
    import io

    import numpy as np
    from PIL import Image

    page.evaluate("for (const mark of document.querySelectorAll('#pictures .mark')) mark.remove()")
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#pictures").screenshot())).convert("RGB"))
    return int(picture[20:200, 20:-20].max())


def test_full_size_shows_one_video_pixel_by_pixel(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.click("[data-full='3']")
        box = page.locator("#video-a").bounding_box()
        assert box is not None
        assert (round(box["width"]), round(box["height"])) == (96, 64)
        assert page.locator("#video-b").is_hidden()


def test_the_table_sorts_both_ways_and_says_so(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        assert rows(page) == ["1", "2", "3", "4", "5", "6", "7", "8"]
        button = page.locator("[data-sort=time]")
        button.click()
        assert rows(page)[0] == "4"
        assert page.locator("th:has([data-sort=time])").get_attribute("aria-sort") == "ascending"
        button.press("Enter")
        assert rows(page)[0] == "7"
        assert page.locator("th:has([data-sort=time])").get_attribute("aria-sort") == "descending"
        assert page.evaluate("document.activeElement.dataset.sort") == "time"


def test_the_table_filters_and_hides_columns(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        page.fill("#query", "dev lora")
        until(page, "document.querySelectorAll('#table tbody tr').length === 2")
        assert rows(page) == ["3", "6"]
        assert page.locator("#count").inner_text() == "2 of 8 cases"
        assert page.locator("#players figure").count() == 2, "the players follow the table"
        page.select_option("#group", "Two-stage")
        assert rows(page) == ["6"]
        page.click("#clear")
        assert len(rows(page)) == 8
        page.select_option("#remark", "not recommended")
        assert rows(page) == ["5"]
        page.click("#clear")
        page.fill("#query", "nothing of the kind")
        assert page.locator("td.empty").inner_text() == "No case matches."
        page.click("#clear")
        assert page.locator("[data-sort=wall]").count() == 0
        page.click(".columns summary")
        page.get_by_label("Wall").check()
        assert page.locator("[data-sort=wall]").count() == 1
        page.keyboard.press("Escape")
        assert page.locator("#columns").is_hidden()


def test_the_sliders_choose_the_fastest_that_fits(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        chosen = page.locator("#choice .chosen")
        assert "#4 Distilled + Upscaler" in chosen.inner_text()
        assert "#5" in page.locator("#choice").inner_text().partition("Not considered")[2]
        memory = page.locator("#limit-memory")
        stops = int(memory.get_attribute("max") or 0)
        texts = {}
        for stop in range(stops + 1):
            memory.fill(str(stop))
            texts[memory.get_attribute("aria-valuetext")] = chosen.inner_text()
        assert texts["16.0 GiB"] == "No case fits at most 16.0 GiB."
        assert "#1 Distilled" in texts["52.0 GiB"]
        assert "#4 Distilled + Upscaler" in texts["no limit"]
        memory.fill(str(stops))
        page.locator("#limit-time").fill("0")
        assert chosen.inner_text().startswith("No case fits at most")
        memory.focus()
        page.keyboard.press("ArrowLeft")
        assert memory.get_attribute("aria-valuetext") != "no limit"


def test_pointing_at_a_case_shows_it_everywhere(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        for chart in page.locator(".chart").all():
            chart.scroll_into_view_if_needed()
        until(page, "document.querySelectorAll('.chart[data-drawn]').length === 5")
        page.focus("#key button[data-case='6']")
        signals = "[...ltxbench.plots.drawn.values()].map((view) => view.signal('highlight'))"
        assert page.evaluate(signals) == [6] * 5
        assert page.locator("tr[data-case='6'].pointed").count() == 1
        assert page.locator("figure[data-case='6'].pointed").count() == 1
        page.locator("tr[data-case='2']").hover()
        assert page.evaluate(signals) == [2] * 5
        page.locator("[data-chart=tradeoff]").scroll_into_view_if_needed()
        place = page.evaluate(
            """() => {
              const marks = [...document.querySelectorAll("[data-chart=tradeoff] path[aria-roledescription=circle]")];
              const box = marks[6].getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }"""
        )
        page.mouse.move(*place)
        until(page, "ltxbench.state.pointed !== 0")
        pointed = page.evaluate("ltxbench.state.pointed")
        assert page.locator(f"tr[data-case='{pointed}'].pointed").count() == 1


def test_the_plots_follow_the_table_the_limits_and_the_colours(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        for chart in page.locator(".chart").all():
            chart.scroll_into_view_if_needed()
        until(page, "document.querySelectorAll('.chart[data-drawn]').length === 5")
        view = "ltxbench.plots.drawn.get('{}').data('{}')"
        page.locator("#limit-memory").fill("0")
        assert len(page.evaluate(view.format("tradeoff", "limits"))) == 1
        page.fill("#query", "upscaler")
        until(page, view.format("steps", "steps") + ".every((row) => [4, 5, 6].includes(row.n))")
        page.select_option("#memory-case", "6")
        bands = page.evaluate(view.format("memory", "bands"))
        assert [band["phase"] for band in bands][:2] == ["Reading weights", "Fusing LoRA"]
        assert page.evaluate("ltxbench.plots.drawn.get('memory').signal('end_s')") == pytest.approx(bands[-1]["end"])
        page.select_option("#scheme", "dark")
        until(page, "ltxbench.plots.drawn.size === 5")
        colours = set(page.evaluate(view.format("steps", "steps") + ".map((row) => row.colour)"))
        assert "#9AD6F7" in colours


def test_a_case_has_an_address_and_its_details_close_by_key(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        page.locator("#table a", has_text="Distilled qint8").click()
        dialog = page.locator("dialog#case")
        assert dialog.is_visible()
        assert page.url.endswith("#case-distilled-qint8")
        assert "Beside #1 Distilled" in dialog.inner_text()
        keep(page, "details", full=False)
        page.keyboard.press("Escape")
        assert dialog.is_hidden()
        assert "#" not in page.url
        page.evaluate("location.hash = '#case-dev'")
        assert page.locator("#case-title").inner_text() == "#2 Dev"


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (1280, "light"), (1280, "dark"), (2560, "dark")])
def test_every_part_has_a_name_and_can_be_read(visit: Visit, page_file: Path, width: int, scheme: str) -> None:
    with visit(page_file, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        for chart in page.locator(".chart").all():
            chart.scroll_into_view_if_needed()
        until(page, "document.querySelectorAll('.chart[data-drawn]').length === 5")
        to_videos(page, 1)
        keep(page, f"page-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        page.evaluate("ltxbench.stage.show(1, 8)")
        assert violations(page) == []
        page.evaluate("location.hash = '#case-dev-upscaler'")
        assert violations(page) == []


def violations(page: Page) -> list[str]:
    """What axe-core finds, by rule and element."""
    axe = pytest.importorskip("axe_core_python", reason="axe-core is not installed (extra `browser`)")
    script = Path(axe.__file__).with_name("axe.min.js")
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({exclude: ['.chart svg']}, {resultTypes: ['violations']})")  # aria-hidden
    return [f"{rule['id']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]]


def test_the_reader_can_choose_the_colours(visit: Visit, page_file: Path) -> None:
    with visit(page_file, color_scheme="light") as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(255, 255, 255)"
        page.select_option("#scheme", "dark")
        assert page.evaluate(ground) == "rgb(20, 23, 27)"


def test_words_that_want_to_be_markup_stay_words(visit: Visit, folder: Path) -> None:
    file = pages.make_page(pages.hostile_run(folder / "hostile-runs"), folder / "hostile")
    with visit(file, viewport={"width": 375, "height": 800}) as page:
        for chart in page.locator(".chart").all():
            chart.scroll_into_view_if_needed()
        until(page, "document.querySelectorAll('.chart[data-drawn]').length === 4")
        page.locator("#table a").first.click()
        assert page.evaluate("window.broken") is None
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        assert violations(page) == []
        keep(page, "hostile")
        page.keyboard.press("Escape")
        assert page.locator("tr[data-case='3']").inner_text().split("\t")[-1] != ""
        assert "failed" in page.locator("tr[data-case='3']").inner_text()
        assert "not run" in page.locator("tr[data-case='4']").inner_text()
        assert page.locator("#players").count() == 0, "there is nothing to play"


def test_a_thousand_cases_open_within_three_seconds(visit: Visit, folder: Path) -> None:
    cases = many(1000)
    run = store_run(
        folder / "many-runs",
        [make_record(case, number) for number, case in enumerate(cases, start=1)],
        make_matrix(cases),
        memory=False,
    )
    file = pages.make_page(run, folder / "many")
    start = time.perf_counter()
    with visit(file) as page:
        assert time.perf_counter() - start < 3
        assert page.locator("#table tbody tr").count() == 100
        page.click("#next")
        assert page.locator("#page-of").inner_text() == "101–200 of 1,000"
        start = time.perf_counter()
        page.fill("#query", "case-077")
        until(page, "document.querySelectorAll('#table tbody tr').length === 10")
        assert time.perf_counter() - start < 3
        keep(page, "thousand", full=False)


def test_two_runs_are_set_beside_each_other(visit: Visit, folder: Path) -> None:
    old = pages.make_run(folder / "old", repeats=6)
    new = pages.make_run(folder / "new", repeats=6, scale=0.93)
    file = write_comparison(old, new, compare_runs(old, new), folder / "compared", threshold=0.03)
    with visit(file) as page:
        assert page.locator("#table tbody tr").count() == 8
        row = page.locator("tr[data-case='1']").inner_text()
        assert "faster" in row
        assert "0.930" in row
        assert "all 13 identical" in row
        page.locator("[data-chart=forest]").scroll_into_view_if_needed()
        page.wait_for_selector("[data-chart=forest][data-drawn]")
        to_videos(page, 2)
        page.click("[data-compare='1']")
        page.click("[data-compare='2']")
        assert page.locator("#caption-a").inner_text() == "A #1 old: Distilled"
        page.keyboard.press("ArrowRight")
        assert len(shown_frames(page)) == 1
        assert violations(page) == []
        keep(page, "comparison")
