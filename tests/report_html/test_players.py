"""The videos as a reader uses them: played, stepped, scrubbed and compared, by mouse and by keyboard."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.report_html.browsing import becomes, expect, rests_at, to_videos, until
from tests.report_html.conftest import WAIT_MS, keep

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]

LOOKS = 120
IN_STEP = """([looks, milliseconds]) => new Promise((done) => {
  const seen = [], start = performance.now();
  function look(now) {
    const all = ltxbench.transport.positions();
    const frames = all.filter((one) => one.shown_s !== null && !one.ended).map((one) => one.shown_s * one.fps);
    if (!all.some((one) => one.waiting) && frames.length > 1) seen.push(Math.max(...frames) - Math.min(...frames));
    if (seen.length < looks && now - start < milliseconds) requestAnimationFrame(look);
    else done(seen);
  }
  requestAnimationFrame(look);
})"""


def test_all_videos_play_within_one_frame_of_each_other(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.click("#play")
        page.wait_for_timeout(600)
        apart = sorted(page.evaluate(IN_STEP, [LOOKS, WAIT_MS]))
        page.click("#play")
        until(page, "!ltxbench.transport.playing")
        assert len(apart) > LOOKS / 4
        assert apart[int(0.9 * len(apart))] <= 1.01
        rests_at(page, page.evaluate("ltxbench.transport.frame"))


def test_the_arrow_keys_step_all_videos_frame_by_frame(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        rests_at(page, 12)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        rests_at(page, 10)
        page.keyboard.press("ArrowRight")
        rests_at(page, 11)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        rests_at(page, 0)  # after the last frame of a loop comes the first
        page.click("#step-on")
        rests_at(page, 1)
        page.locator("#query").press("ArrowRight")
        assert page.evaluate("ltxbench.transport.frame") == 1, "a field that is typed in keeps its keys"


def test_the_scrubber_and_the_loop_are_obeyed(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.locator("#scrub").fill("3")
        rests_at(page, 3)
        expect(page.locator("#scrub")).to_have_attribute("aria-valuetext", "frame 3 of 12, 0.13 s")
        page.uncheck("#loop")
        page.click("#play")
        expect(page.locator("#play")).to_have_accessible_name("Pause")
        expect(page.locator("#play")).to_have_accessible_name("Play")
        rests_at(page, 12)


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
        expect(page.locator("[data-compare='1']")).to_have_text("Compare with …")
        expect(page.locator("#stage")).to_be_hidden()
        page.click("[data-compare='8']")
        expect(page.locator("#stage")).to_be_visible()
        expect(page.locator("[data-compare='1']")).to_have_attribute("aria-pressed", "true")
        page.locator("input[value=divider]").check(force=True)
        divider = page.locator("#divider")
        box = page.locator("#pictures").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40, steps=4)
        page.mouse.up()
        expect(divider).to_have_attribute("aria-valuenow", "25")
        expect(page.locator(".picture.b")).to_have_css("clip-path", "inset(0px 0px 0px 25%)")
        frame = page.evaluate("ltxbench.transport.frame")
        divider.press("ArrowRight")
        divider.press("PageUp")
        expect(divider).to_have_attribute("aria-valuenow", "36")
        divider.press("End")
        expect(divider).to_have_attribute("aria-valuetext", "100% A, 0% B")
        assert page.evaluate("ltxbench.transport.frame") == frame
        keep(page, "divider", full=False)
        page.locator("input[value=difference]").check(force=True)
        expect(divider).to_be_hidden()
        page.locator("#amplify").fill("5")
        expect(page.locator("#amplify-value")).to_have_text("32×")
        expect(page.locator(".picture.b")).to_have_css("mix-blend-mode", "difference")
        expect(page.locator("#pictures")).to_have_css("filter", "brightness(32)")
        keep(page, "difference", full=False)
        page.click("#stage-close")
        expect(page.locator("[data-compare='1']")).to_be_focused()


def test_the_difference_of_a_case_with_itself_is_black(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.evaluate("ltxbench.stage.show(2, 2)")
        page.locator("input[value=difference]").check(force=True)
        rest = "[...document.querySelectorAll('#stage video')].every((one) => one.readyState >= 2 && !one.seeking)"
        until(page, rest)
        page.locator("#pictures").scroll_into_view_if_needed()
        assert eventually(page, lambda level: level <= 8)
        page.select_option("#stage-b", "7")
        until(page, rest)
        assert eventually(page, lambda level: level > 8)


def eventually(page: Page, right: Callable[[int], bool]) -> bool:
    """A decoded frame is on the screen some time after the video says that it has it."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not right(brightest(page)) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    return right(brightest(page))


def brightest(page: Page) -> int:
    page.evaluate("for (const mark of document.querySelectorAll('#pictures .mark')) mark.remove()")
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#pictures").screenshot())).convert("RGB"))
    return int(picture[20:200, 20:-20].max())


def test_full_size_shows_one_video_pixel_by_pixel(visit: Visit, page_file: Path) -> None:
    with visit(page_file) as page:
        to_videos(page)
        page.click("[data-full='3']")
        expect(page.locator("#video-b")).to_be_hidden()
        size = "(({width, height}) => [Math.round(width), Math.round(height)])"
        becomes(page, f"{size}(document.getElementById('video-a').getBoundingClientRect())", [96, 64])
