"""A Chromium, and pages for it to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_support import Server, go, start_server
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright
from support import DEADLINE

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}

expect.set_options(timeout=1000 * DEADLINE)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts pages; those that still run are stopped at the end."""
    started: list[Server] = []

    def start(name: str = "page", port: int = 0, auth: str = "") -> Server:
        started.append(start_server(tmp_path / name, port, auth))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One page for a whole file of tests: each has a queue of its own, in a browser context of its own."""
    started = start_server(tmp_path_factory.mktemp("page") / "workspace")
    yield started
    started.stop()
    assert not [line for line in started.log if "Traceback" in line], "".join(started.log)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; without one the test is skipped, but never in CI.

    Not for longer than a file: while Playwright runs, its event loop is that of the thread, and no other test can have one.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu", *quiet])
        except Error as error:
            reason = f"no Chromium: {error.message.splitlines()[0]}"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page as a new visitor; an error of its scripts fails the test."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(url: str, size: str = "desktop", init_script: str = "", **options: Any) -> Page:
        context = chromium.new_context(viewport=SIZES[size], reduced_motion="reduce", **options)  # pyright: ignore[reportArgumentType]
        context.set_default_timeout(1000 * DEADLINE)
        contexts.append(context)
        context.add_init_script(init_script)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        go(page, url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems
