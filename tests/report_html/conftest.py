"""A real browser: Debian's Chromium driven by Playwright. Without either, these tests are skipped, and say so.

LTXBENCH_SCREENSHOTS names a folder in which pictures of the pages are kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report_html import pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WAIT_MS = 20_000


@dataclass
class Heard:
    """What a page said and asked for while it was open."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra `browser`)")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium here")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LD_PRELOAD", raising=False)  # the BLAS for MLX, under which Node starts no thread
        with api.sync_playwright() as playwright:
            api.expect.set_options(timeout=WAIT_MS)
            running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            yield running
            running.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Callable[..., Any]:
    """Opens a page's file, and sees to it that nothing went wrong and nothing was asked of anybody."""

    @contextmanager
    def opened(file: Path, **options: Any) -> Iterator[Page]:
        heard = Heard()
        settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, **options}
        context = browser.new_context(**settings)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("console", lambda said: heard.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: heard.errors.append(str(error)))
        page.on("request", lambda request: heard.requests.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        yield page
        context.close()
        assert heard.errors == []
        assert [url for url in heard.requests if not url.startswith(("file://", "data:"))] == []

    return opened


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def page_file(folder: Path) -> Path:
    """Eight cases of three rounds, with videos."""
    return pages.make_page(pages.make_run(folder / "runs", repeats=3), folder / "page")


def keep(page: Page, name: str, *, full: bool = True) -> None:
    """A picture for whoever looks at the results."""
    if wanted := os.environ.get("LTXBENCH_SCREENSHOTS"):
        target = Path(wanted)
        target.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target / f"{name}.png", full_page=full)
