"""Start, pause, cancel, retry and clear, and how far the queue is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Question
from cosmos_workflow.ui.page import Page, Wiring, toast
from cosmos_workflow.ui.page_view import PageView
from cosmos_workflow.ui.queue import following, view
from cosmos_workflow.ui.queue.markup import queue_progress
from cosmos_workflow.ui.text import count


class QueueControls:
    """The row of buttons, and the bars below it."""

    def __init__(self, page: Page, resume: Question) -> None:
        self._page = page
        self.resume = resume
        with gr.Row(elem_classes="cw-buttons"):
            self.start = gr.Button("Start", variant="primary", size="sm", elem_id="start-queue")
            self.pause = gr.Button("Pause", size="sm", elem_id="pause-queue")
            self.free = gr.Button("Pause and free the GPU", size="sm", elem_id="pause-and-free")
            self.cancel = gr.Button("Cancel running", variant="stop", size="sm", elem_id="cancel-running", visible=False)
            self.retry = gr.Button("Retry failed", size="sm", elem_id="retry-failed", visible=False)
            self.clear = gr.Button("Clear", size="sm", elem_id="clear-queue")
            self.note = gr.HTML(elem_id="process-note", apply_default_css=False)
        self.question = Question(page, "clear-queue", "Clear what waits", "Clear and cancel what runs")
        self.bars = components.bars("queue-progress")
        self._wire()
        self._follow()

    async def process_queue(self, queue: Queue, progress: gr.Progress = gr.Progress()) -> AsyncIterator[str]:  # noqa: B008 - gradio looks for this default
        """Start the runner, or attach to the one that runs, and report until it stops."""
        if len(queue):
            self._page.runner(queue).start()
        async for text in self._report(queue, progress):
            yield text

    async def attach(self, queue: Queue, progress: gr.Progress = gr.Progress()) -> AsyncIterator[str]:  # noqa: B008 - gradio looks for this default
        """Report on a queue that runs already; nothing where it doesn't."""
        if self._page.runner(queue).snapshot().active:
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
        return self.resume.hidden()

    def ask_to_resume(self, queue: Queue) -> list[Any]:
        """Ask about what the server found at its start, where the workspace's settings say so."""
        now = self._page.view(queue)
        if self._page.operations.workspace.settings.startup != "ask" or not now.restored or now.snapshot.active:
            return [gr.skip()] * len(self.resume.outputs)
        return self.resume.shown(f"{count(now.restored, 'item')} came back from before. Go on with them?")

    def pause_runner(self, queue: Queue) -> None:
        """Stop after the running batch."""
        self._pause(queue, free=False)

    def pause_and_free(self, queue: Queue) -> None:
        """Stop after the running batch, and unload the engines."""
        self._pause(queue, free=True)

    def cancel_running(self, ids: list[str], queue: Queue) -> None:
        """Cancel the selected items that run, or all that run."""
        runner = self._page.runner(queue)
        chosen = {item.id for item in runner.snapshot().queue.running} & set(ids or ())
        toast(f"Cancelling {count(len(runner.cancel(chosen or None)), 'item')}.")

    def retry_failed(self, ids: list[str], queue: Queue) -> None:
        """Queue failed items again: the selected ones, or all."""
        own = self._page.session(queue).queue
        failed = {item.id for item in own.snapshot().failed} & set(ids or ())
        toast(f"Queued {count(len(own.retry(failed or None)), 'failed item')} again.")

    def ask_clear(self, queue: Queue) -> list[Any]:
        """Ask, saying what waits and what runs."""
        snapshot = self._page.session(queue).queue.snapshot()
        return self.question.shown(view.clear_question(snapshot), also=bool(snapshot.running))

    def confirm_clear(self, queue: Queue) -> Any:
        """Take away what waits."""
        toast(f"Took away {count(len(self._page.session(queue).queue.clear_queue()), 'item')}.")
        return self.question.hidden()

    def clear_all(self, queue: Queue) -> Any:
        """Take away what waits, and cancel what runs."""
        hidden = self.confirm_clear(queue)
        self._page.runner(queue).cancel()
        return hidden

    def _pause(self, queue: Queue, *, free: bool) -> None:
        runner = self._page.runner(queue)
        runner.pause(free_devices=free)
        toast(view.pause_notice(runner.snapshot().queue, freeing=free))

    async def _report(self, queue: Queue, progress: gr.Progress) -> AsyncIterator[str]:
        async for snapshot in following.follow(self._page.session(queue), progress):
            if not snapshot.active:
                following.announce_end(snapshot)
            yield ""

    def _wire(self) -> None:
        page, queue, question, resume = self._page, self._page.queue, self.question, self.resume
        selection = gr.JSON([], visible=False)
        chosen = {"js": components.selected_in(view.TABLE), "refresh": True}
        report = Wiring(self.process_queue, [queue], [self.note], {"show_progress": "full"})
        page.on(self.start.click, self.begin, [queue], None, refresh=True, then=report)
        page.on(resume.yes.click, self.begin_restored, [queue], [resume.group], refresh=True, then=report)
        page.on_load(self.ask_to_resume, [queue], resume.outputs)
        page.on_open(self.attach, [queue], [self.note], show_progress="full")
        page.on(self.pause.click, self.pause_runner, [queue], None, refresh=True)
        page.on(self.free.click, self.pause_and_free, [queue], None, refresh=True)
        page.on(self.cancel.click, self.cancel_running, [selection, queue], None, **chosen)
        page.on(self.retry.click, self.retry_failed, [selection, queue], None, **chosen)
        page.on(self.clear.click, self.ask_clear, [queue], question.outputs)
        page.on(question.yes.click, self.confirm_clear, [queue], [question.group], refresh=True)
        page.on(question.also.click, self.clear_all, [queue], [question.group], refresh=True)

    def _follow(self) -> None:
        page = self._page
        page.follow(self.bars, lambda now: now.snapshot.version, queue_progress)
        page.enable(self.start, _can_start)
        page.enable(self.pause, lambda now: now.snapshot.state is RunnerState.RUNNING)
        page.enable(self.clear, lambda now: bool(now.snapshot.queue.items or now.snapshot.queue.finished))
        page.show(self.cancel, lambda now: bool(now.snapshot.queue.running))
        page.show(self.retry, lambda now: bool(now.snapshot.queue.failed))


def _can_start(now: PageView) -> bool:
    return bool(now.snapshot.queue.waiting) and now.snapshot.state is not RunnerState.RUNNING
