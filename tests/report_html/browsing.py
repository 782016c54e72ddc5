"""Waiting in a real browser: what an action brings about is waited for, never looked at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report_html.conftest import WAIT_MS

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra `browser`)").expect


def becomes(page: Page, expression: str, wanted: Any = True) -> None:
    """Playwright's own wait evaluates a string in the page, which the page forbids."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while (found := page.evaluate(expression)) != wanted:
        assert time.monotonic() < deadline, f"{expression} is {found}, not {wanted}"
        page.wait_for_timeout(30)


def until(page: Page, condition: str) -> None:
    becomes(page, f"Boolean({condition})")


def draw_all(page: Page, charts: int) -> None:
    for chart in page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
    expect(page.locator(".chart[data-drawn]")).to_have_count(charts)


def to_videos(page: Page, count: int = 4) -> None:
    """Scrolls there, and waits until so many can be played."""
    page.locator("#players").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#players').scrollIntoView()")
    until(
        page,
        f"ltxbench.transport.positions().length >= {count}"
        " && [...document.querySelectorAll('#players video')].every((one) => one.readyState >= 2 && !one.seeking)",
    )


def rests_at(page: Page, frame: int) -> None:
    """All players do, and have arrived."""
    until(page, "[...document.querySelectorAll('#players video')].every((one) => !one.seeking)")
    shown = "ltxbench.transport.positions().map((one) => Math.floor(one.current_s * one.fps))"
    becomes(page, f"[...new Set({shown})]", [frame])


def violations(page: Page) -> list[str]:
    """What axe-core finds, by rule and element."""
    axe = pytest.importorskip("axe_core_python", reason="axe-core is not installed (extra `browser`)")
    script = Path(axe.__file__).with_name("axe.min.js")
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({exclude: ['.chart svg']}, {resultTypes: ['violations']})")  # aria-hidden
    return [f"{rule['id']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]]
