"""The own list of pronunciations, beside the form: what it says goes for everything that is spoken, jobs included."""

from __future__ import annotations

import gradio as gr

from cosmos_workflow.engines.speech_text.pronunciations import parse_list
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.text import count


class OwnPronunciations:
    """A folded section with the list and its button; `section` is shown where the engine speaks."""

    def __init__(self, page: Page, shown: bool) -> None:
        self._page = page
        with gr.Accordion(
            "Pronunciations for everything", open=False, visible=shown, elem_id="own-pronunciations"
        ) as self.section:
            text = gr.Textbox(
                label="A word a line and how it is said",
                info="GIF: jif, or in IPA for engines that take phonemes: Nguyen: /nwin/. The form and a job can say otherwise.",
                lines=4,
                max_lines=16,
                elem_id="own-pronunciations-text",
            )
            save = gr.Button("Save Pronunciations", size="sm", elem_id="save-pronunciations")
        page.on(save.click, self._save, [page.queue, text], [text])
        page.on_load(lambda queue: page.store.pronunciations.of(queue.owner), [page.queue], [text])

    def _save(self, queue: Queue, text: str) -> str:
        kept = self._page.store.pronunciations.save(queue.owner, text)
        toast(f"Saved {count(len(parse_list(kept)), 'word')}; what is added from now on is spoken so.")
        return kept
