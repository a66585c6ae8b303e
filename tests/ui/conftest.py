"""What tests of the page share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import gradio as gr
import pytest

from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.ui.page import Page


@pytest.fixture(autouse=True)
def closed_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """gradio makes an event loop for each page that is built without one, and leaves it open."""
    made: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    yield
    for loop in made:
        loop.close()
    if made:
        asyncio.set_event_loop(None)


@pytest.fixture
def page(sessions: Sessions) -> Iterator[Page]:
    """A page that components can be put on."""
    with gr.Blocks(analytics_enabled=False):
        yield Page(sessions)


@pytest.fixture(autouse=True)
def toasts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Toasts need a browser; here they are a list."""
    said: list[str] = []
    for name in ("Info", "Warning"):
        monkeypatch.setattr(gr, name, lambda text, **_options: said.append(text))
    return said
