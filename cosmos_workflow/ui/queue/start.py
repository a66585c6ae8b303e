"""Start and Pause in the header, seen from every tab, and the report of a queue that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui.components import Question, hide
from cosmos_workflow.ui.page import Page, Wiring, as_toast, toast
from cosmos_workflow.ui.page_view import PageView
from cosmos_workflow.ui.queue import following, view
from cosmos_workflow.ui.text import count

SHOW_QUEUE = "() => { document.querySelector('#tabs [role=tab][data-tab-id=queue]')?.click(); }"


class StartAndPause:
    """Two buttons; `ask` puts the question whether to go on with what the server found at its start."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.start = gr.Button("Start", variant="primary", size="sm", elem_id="start-queue", scale=0, min_width=80)
        self.pause = gr.Button("Pause", size="sm", elem_id="pause-queue", scale=0, min_width=80)
        # Gradio's own bar: what a page shows that isn't kept up to date otherwise.
        self.note = gr.HTML(elem_id="process-note", apply_default_css=False)
        queue = page.queue
        self._report_it = Wiring(self.process_queue, [queue], [self.note], {"show_progress": "full"})
        page.on(self.start.click, self.begin, [queue], None, refresh=True, then=self._report_it)
        page.on(self.start.click, None, None, None, js=SHOW_QUEUE)
        page.on(self.pause.click, self.pause_runner, [queue], None, refresh=True)
        page.on_open(self.attach, [queue], [self.note], show_progress="full")
        page.update(self.start, lambda now: {"interactive": bool(now.snapshot.queue.waiting) and not _runs(now)})
        page.update(self.pause, lambda now: {"interactive": _runs(now)})

    def ask(self) -> None:
        """Build the question here."""
        page, queue = self._page, self._page.queue
        self.resume = Question(page, "come-back", "Start", no="Not now", harmless=True)
        page.on(self.resume.yes.click, self.begin_restored, [queue], [self.resume.group], refresh=True, then=self._report_it)
        page.on_load(self.ask_to_resume, [queue], self.resume.outputs)

    async def process_queue(self, queue: Queue, progress: gr.Progress = gr.Progress()) -> AsyncIterator[str]:  # noqa: B008 - gradio looks for this default
        """Start the runner, or attach to the one that runs, and report until it stops."""
        if len(queue):
            self._page.session(queue).runner.start()
        async for text in self._report(queue, progress):
            yield text

    async def attach(self, queue: Queue, progress: gr.Progress = gr.Progress()) -> AsyncIterator[str]:  # noqa: B008 - gradio looks for this default
        """Report on a queue that runs already; nothing where it doesn't."""
        if self._page.session(queue).runner.snapshot().active:
            async for text in self._report(queue, progress):
                yield text

    def begin(self, queue: Queue) -> None:
        """Start, so that the page sees it run before `process_queue` reports on it."""
        session = self._page.session(queue)
        if not len(session.queue):
            raise InputError("Nothing is queued; add prompts to the queue first.")
        session.runner.start()

    def begin_restored(self, queue: Queue) -> Any:
        """Start what the server found at its start."""
        self.begin(queue)
        return hide()

    def ask_to_resume(self, queue: Queue) -> list[Any]:
        """Ask about what the server found at its start, where the workspace's settings say so."""
        now = self._page.view(queue)
        if self._page.operations.workspace.settings.startup != "ask" or not now.restored or now.snapshot.active:
            return [gr.skip()] * len(self.resume.outputs)
        return self.resume.shown(f"{count(now.restored, 'item')} came back from before. Go on with them?")

    def pause_runner(self, queue: Queue) -> None:
        """Stop after the running batch."""
        runner = self._page.session(queue).runner
        runner.pause()
        toast(view.pause_notice(runner.snapshot().queue))

    async def _report(self, queue: Queue, progress: gr.Progress) -> AsyncIterator[str]:
        async for snapshot in following.follow(self._page.session(queue), progress):
            if not snapshot.active:
                show = gr.Warning if snapshot.reason or snapshot.queue.done.get(ItemStatus.FAILED) else gr.Info
                show(as_toast(view.end_notice(snapshot)))
            yield ""


def _runs(now: PageView) -> bool:
    return now.snapshot.state is RunnerState.RUNNING
