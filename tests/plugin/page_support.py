"""A page in a process of its own, on a workspace and a port of its own, and what a visitor does with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from gradio_client import Client
from playwright.sync_api import Locator, Page, expect
from support import DEADLINE

PLUGIN = Path(__file__).parent
SERVE = """
import os
import signal
import sys
import threading

from cosmos_workflow.config import Workspace
from cosmos_workflow.ui.server import serve


def end_with_the_tests() -> None:
    os.read(0, 1)  # nothing ever comes
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_the_tests, daemon=True).start()
    workspace, port, auth, api, *names = sys.argv[1:]
    serve(Workspace.open(workspace), port=int(port), auth=auth or None, speech_api=api == "api", names=names)
"""
READY = re.compile(r"at (http://\S+)")


@dataclass
class Server:
    """A running page; `log` grows with what it prints."""

    process: subprocess.Popen[str]
    url: str
    workspace: Path
    log: list[str]

    def kill(self) -> None:
        """End it as a power cut would, with its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Its workers stand still meanwhile, so that what they make can be looked at however slow the browser is."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        workers = [process for process in family if any("gpu_dispatch" in word for word in process.cmdline())]
        assert workers
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                worker.resume()

    def stop(self) -> None:
        """End it as Ctrl+C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(DEADLINE)
            finally:
                if self.process.poll() is None:
                    self.kill()
        assert self.process.stdin is not None
        self.process.stdin.close()


def start_server(
    folder: Path,
    port: int = 0,
    auth: str = "",
    names: Sequence[str] = (),
    paths: Sequence[Path] = (),
    *,
    speech_api: bool = False,
) -> Server:
    """Start the page and wait until it says where it is; what is in `paths` is installed there, beside the probe."""
    script = folder.parent / f"{folder.name}-serve.py"
    script.write_text(SERVE, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [PLUGIN, *paths])), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(port), auth, "api" if speech_api else "", *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    log: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                log.append(line)
                if READY.search(line):
                    ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    ready.wait(DEADLINE)
    found = next((match[1] for line in log if (match := READY.search(line))), None)
    if found is None:
        process.kill()
        process.wait()
        pytest.fail(f"the page never came up: {''.join(log)}")
    return Server(process, found, folder, log)


def go(page: Page, url: str) -> None:
    """Open or reload the page, and wait until it has found its queue."""
    page.goto(url, wait_until="commit")
    expect(page.locator("#queue-counter")).not_to_be_empty()
    expect(page.locator(".toast-body.error")).to_have_count(0)


def open_tab(page: Page, name: str) -> None:
    """Open a tab."""
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")


def tick(page: Page, *names: str) -> None:
    """Select these prompts of the library, and no others."""
    open_tab(page, "Prompts")
    nothing = page.locator("#prompts-table .cw-none")
    if nothing.is_visible():
        nothing.click()
    for name in names:
        page.get_by_label(f"Select {name}", exact=True).first.check()


def choose_engine(page: Page, title: str) -> None:
    """Choose an engine in the form."""
    page.locator("#engine input").click()
    page.get_by_role("option", name=title).click()


def write_prompt(page: Page, text: str) -> None:
    """Write a prompt, and select it beside what was selected before."""
    open_tab(page, "Prompts")
    page.locator("#new-prompt").click()
    expect(page.locator("#prompt-name input")).to_be_focused()  # what is typed before is the last form's
    page.locator("#prompt-text textarea").fill(text)
    page.locator("#save-prompt").click()
    expect(page.locator("#prompt-text textarea")).to_be_hidden()
    title = page.locator(".cw-open", has_text=re.compile(f"^{re.escape(text[:40])}"))
    page.locator("#prompts-table tbody tr", has=title).first.locator("input").check()


def add(page: Page, queued: int) -> None:
    """Press Add to Queue, and wait until that many wait."""
    page.locator("#add-to-queue").click()
    expect(page.locator("#queue-counter")).to_contain_text(f"{queued} queued")


def set_number(page: Page, name: str, value: str) -> None:
    """Write a number of the form."""
    field = page.get_by_label(f"number input for {name}").first
    field.fill(value)
    field.press("Tab")


def connect(url: str, auth: tuple[str, str] | None = None) -> Client:
    """A program that calls the endpoints, patient with a busy machine."""
    return Client(url, verbose=False, httpx_kwargs={"auth": auth, "timeout": DEADLINE})


def fits(page: Page) -> None:
    """Nothing makes the page itself scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def plays(player: Locator) -> None:
    """It has a length, and gets further when it is played."""
    player.scroll_into_view_if_needed()
    length = player.evaluate(
        """async (media) => {
            media.muted = true;
            await media.play();
            while (media.currentTime < 0.2) await new Promise(requestAnimationFrame);
            media.pause();
            return media.duration;
        }"""
    )
    assert 0.5 < length < 60
