"""Pause and free, cancel, retry and clear, and how far the queue is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.queue_files import load_queue
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Question, hide
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.queue import view
from cosmos_workflow.ui.queue.markup import queue_progress, save_link
from cosmos_workflow.ui.text import count


class QueueControls:
    """The row of buttons, each with the number of what it acts on, and the bars below it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with gr.Row(elem_classes=["cw-buttons", "cw-of-queue"]):
            freed = "the GPU" if page.operations.has_gpu else "memory"
            free = gr.Button(f"Pause and free {freed}", size="sm", elem_id="pause-and-free")
            cancel = gr.Button("Cancel running", variant="stop", size="sm", elem_id="cancel-running", visible=False)
            retry = gr.Button("Retry failed", size="sm", elem_id="retry-failed", visible=False)
            clear = gr.Button("Clear", size="sm", elem_id="clear-queue")
            load = gr.UploadButton("Load a queue", size="sm", file_types=[".zip"], elem_id="load-queue")
            save = gr.HTML(apply_default_css=False, elem_id="save-queue")
        self.question = Question(page, "clear-queue", "Clear what waits", "Clear and cancel what runs")
        self.cancelling = Question(page, "cancel-running", "Cancel", no="Let them go on")
        bars = components.drawn("progress(element, props, watch)", "queue-progress")

        queue, question, selection = page.queue, self.question, gr.JSON([], visible=False)
        chosen = components.selected_in(view.TABLE)
        page.on(free.click, self.pause_and_free, [queue], None, refresh=True)
        page.on(cancel.click, self.ask_cancel, [selection, queue], self.cancelling.outputs, js=chosen)
        cancelled = [self.cancelling.group]
        page.on(self.cancelling.yes.click, self.cancel_running, [self.cancelling.subject, queue], cancelled, refresh=True)
        page.on(retry.click, self.retry_failed, [selection, queue], None, refresh=True, js=chosen)
        page.on(load.upload, self.load_queue, [load, queue], None, refresh=True)
        page.on(clear.click, self.ask_clear, [queue], question.outputs)
        page.on(question.yes.click, self.confirm_clear, [queue], [question.group], refresh=True)
        page.on(question.also.click, self.clear_all, [queue], [question.group], refresh=True)
        page.follow(bars, lambda now: now.snapshot.version, queue_progress)
        page.follow(save, lambda now: (now.token, bool(now.snapshot.queue.items)), save_link)
        page.update(clear, lambda now: view.clear_button(now.snapshot.queue))
        page.update(cancel, lambda now: view.cancel_button(now.snapshot.queue))
        page.update(retry, lambda now: view.retry_button(now.snapshot.queue))

    def pause_and_free(self, queue: Queue) -> None:
        """Stop after the running batch, and unload the engines."""
        runner = self._page.session(queue).runner
        runner.pause(free_devices=True)
        toast(view.pause_notice(runner.snapshot().queue, freeing=True))

    def ask_cancel(self, ids: list[str], queue: Queue) -> list[Any]:
        """Ask about the selected items that run, or about all that run."""
        running = [item.id for item in self._page.session(queue).queue.snapshot().running]
        chosen = [item_id for item_id in running if item_id in (ids or ())]
        if not running:
            raise InputError("Nothing is running any more.")
        return self.cancelling.shown(view.cancel_question(len(chosen), len(running)), chosen or running)

    def cancel_running(self, ids: tuple[str, ...], queue: Queue) -> Any:
        """Cancel those of these items that still run."""
        cancelled = self._page.session(queue).runner.cancel(set(ids))
        toast(f"Cancelling {count(len(cancelled), 'item')}.")
        return hide()

    def retry_failed(self, ids: list[str], queue: Queue) -> None:
        """Queue failed and cancelled items again: the selected ones, or all."""
        own = self._page.session(queue).queue
        chosen = {item.id for item in own.snapshot().retryable} & set(ids or ())
        toast(f"Queued {count(len(own.retry(chosen or None)), 'item')} again.")

    def ask_clear(self, queue: Queue) -> list[Any]:
        """Ask, saying what waits and what runs."""
        snapshot = self._page.session(queue).queue.snapshot()
        return self.question.shown(view.clear_question(snapshot), also=bool(snapshot.running))

    def confirm_clear(self, queue: Queue) -> Any:
        """Take away what waits."""
        toast(f"Took away {count(len(self._page.session(queue).queue.clear_queue()), 'item')}.")
        return hide()

    def clear_all(self, queue: Queue) -> Any:
        """Take away what waits, and cancel what runs."""
        hidden = self.confirm_clear(queue)
        self._page.session(queue).runner.cancel()
        return hidden

    def load_queue(self, path: str, queue: Queue) -> None:
        """Add what a saved queue holds, all or nothing."""
        added = load_queue(Path(path), Path(path).name, self._page.session(queue).queue, self._page.store)
        toast(f"Added {count(len(added), 'item')} of {Path(path).name}.")
