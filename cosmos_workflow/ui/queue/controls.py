"""Start, pause, cancel, retry and clear, and how far the queue is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.queueing import Queue
from cosmos_workflow.ui import lists, live, markup, view
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.page import Page, Wiring, tell
from cosmos_workflow.ui.view import Picture

TABLE = "queue-table"


class QueueControls:
    """The row of buttons, and the bars below it."""

    def __init__(self, page: Page, comeback: Ask) -> None:
        self._page = page
        self.comeback = comeback
        with gr.Row(elem_classes="cw-buttons"):
            self.start = gr.Button("Start", variant="primary", size="sm", elem_id="start-queue")
            self.pause = gr.Button("Pause", size="sm", elem_id="pause-queue")
            self.free = gr.Button("Pause and free the GPU", size="sm", elem_id="pause-and-free")
            self.cancel = gr.Button("Cancel running", variant="stop", size="sm", elem_id="cancel-running", visible=False)
            self.retry = gr.Button("Retry failed", size="sm", elem_id="retry-failed", visible=False)
            self.clear = gr.Button("Clear", size="sm", elem_id="clear-queue")
            self.note = gr.HTML(elem_id="process-note", apply_default_css=False)
        self.ask = Ask(page, "clear-queue", "Clear what waits", "Clear and cancel what runs")
        self.bars = lists.bars("queue-progress")
        self.selection = gr.JSON([], visible=False)
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

    def begin_again(self, queue: Queue) -> Any:
        """Start what came back."""
        self.begin(queue)
        return self.comeback.hidden()

    def ask_comeback(self, queue: Queue) -> list[Any]:
        """Ask about what came back, where the workspace's settings say so."""
        now = self._page.picture(queue)
        if self._page.operations.workspace.settings.startup != "ask" or not now.came_back or now.is_running:
            return [gr.skip()] * len(self.comeback.outputs)
        return self.comeback.shown(f"{view.count(now.came_back, 'item')} came back from before. Go on with them?")

    def rest(self, queue: Queue) -> None:
        """Stop after the running batch."""
        self._page.runner(queue).pause()
        tell(view.pause_notice(self._page.picture(queue).snapshot.queue))

    def rest_and_free(self, queue: Queue) -> None:
        """Stop after the running batch, and unload the engines."""
        self._page.runner(queue).pause(free_devices=True)
        tell(view.pause_notice(self._page.picture(queue).snapshot.queue, freeing=True))

    def stop(self, ids: list[str], queue: Queue) -> None:
        """Cancel the selected items that run, or all that run."""
        runner = self._page.runner(queue)
        chosen = {item.id for item in runner.snapshot().queue.running} & set(ids or ())
        tell(f"Cancelling {view.count(len(runner.cancel(chosen or None)), 'item')}.")

    def again(self, ids: list[str], queue: Queue) -> None:
        """Queue failed items again: the selected ones, or all."""
        own = self._page.session(queue).queue
        failed = {item.id for item in own.snapshot().failed} & set(ids or ())
        tell(f"Queued {view.count(len(own.retry(failed or None)), 'failed item')} again.")

    def ask_clear(self, queue: Queue) -> list[Any]:
        """Ask, saying what waits and what runs."""
        snapshot = self._page.session(queue).queue.snapshot()
        return self.ask.shown(view.clear_question(snapshot), also=bool(snapshot.running))

    def really_clear(self, queue: Queue) -> Any:
        """Take away what waits."""
        tell(f"Took away {view.count(len(self._page.session(queue).queue.clear_queue()), 'item')}.")
        return self.ask.hidden()

    def clear_all(self, queue: Queue) -> Any:
        """Take away what waits, and cancel what runs."""
        hidden = self.really_clear(queue)
        self._page.runner(queue).cancel()
        return hidden

    async def _report(self, queue: Queue, progress: gr.Progress) -> AsyncIterator[str]:
        async for snapshot in live.follow(self._page.session(queue), progress):
            if not snapshot.active:
                live.announce(snapshot)
            yield ""

    def _wire(self) -> None:
        page, queue = self._page, self._page.queue
        chosen = {"js": lists.selected_in(TABLE), "changes_queue": True}
        report = Wiring(self.process_queue, [queue], [self.note], {"show_progress": "full"})
        page.on(self.start.click, self.begin, [queue], None, changes_queue=True, then=report)
        page.on(self.comeback.yes.click, self.begin_again, [queue], [self.comeback.group], changes_queue=True, then=report)
        page.on_load(self.ask_comeback, [queue], self.comeback.outputs)
        page.on_open(self.attach, [queue], [self.note], show_progress="full")
        page.on(self.pause.click, self.rest, [queue], None, changes_queue=True)
        page.on(self.free.click, self.rest_and_free, [queue], None, changes_queue=True)
        page.on(self.cancel.click, self.stop, [self.selection, queue], None, **chosen)
        page.on(self.retry.click, self.again, [self.selection, queue], None, **chosen)
        page.on(self.clear.click, self.ask_clear, [queue], self.ask.outputs)
        page.on(self.ask.yes.click, self.really_clear, [queue], [self.ask.group], changes_queue=True)
        page.on(self.ask.also.click, self.clear_all, [queue], [self.ask.group], changes_queue=True)

    def _follow(self) -> None:
        page = self._page
        page.follow(self.bars, lambda now, _visit: now.snapshot.version, lambda now, _visit: markup.queue_progress(now))
        _enable(page, self.start, _can_start)
        _enable(page, self.pause, lambda now: now.snapshot.state is RunnerState.RUNNING)
        _enable(page, self.clear, lambda now: bool(now.snapshot.queue.items or now.snapshot.queue.finished))
        _show(page, self.cancel, lambda now: bool(now.snapshot.queue.running))
        _show(page, self.retry, lambda now: bool(now.snapshot.queue.failed))


def _can_start(now: Picture) -> bool:
    return bool(now.snapshot.queue.queued) and now.snapshot.state is not RunnerState.RUNNING


def _enable(page: Page, button: gr.Button, when: Callable[[Picture], bool]) -> None:
    page.follow(button, lambda now, _visit: when(now), lambda now, _visit: gr.Button(interactive=when(now)))


def _show(page: Page, button: gr.Button, when: Callable[[Picture], bool]) -> None:
    page.follow(button, lambda now, _visit: when(now), lambda now, _visit: gr.Button(visible=when(now)))
