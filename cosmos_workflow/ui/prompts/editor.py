"""The form in which a prompt is written or changed, with its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import EditorFrame, hide
from cosmos_workflow.ui.markup import file_chips
from cosmos_workflow.ui.page import Page, as_toast, owner_of, toast
from cosmos_workflow.ui.prompts.selection import chosen_prompts, input_kinds
from cosmos_workflow.ui.prompts.tags import TagButtons

AUTOMATIC = ""
TEXT = "prompt-text"
FILE_TYPES = ["audio", "video", ".mkv", ".flac", ".opus", ".yaml", ".yml", ".json"]


class PromptEditor:
    """Hidden until a prompt is opened; the library wires its Save."""

    def __init__(self, page: Page) -> None:
        self._page = page
        kinds = input_kinds()
        uses = [("as its kind says", AUTOMATIC), *((f"{name} ({kind})", name) for name, kind in kinds.items())]
        with EditorFrame(page, "save-prompt", "close-prompt") as self.frame:
            heading = gr.HTML(apply_default_css=False)
            name = gr.Textbox(label="Name (optional)", max_lines=1, elem_id="prompt-name")
            text = gr.Textbox(label="Text", lines=4, max_lines=14, elem_id=TEXT)
            self.tags = TagButtons(TEXT)
            files = gr.HTML(apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                use = gr.Dropdown(uses, value=AUTOMATIC, label="Use the file as", min_width=150, elem_id="file-use")
                upload = gr.UploadButton(
                    "Add files", size="sm", file_types=FILE_TYPES, file_count="multiple", elem_id="prompt-file"
                )
                drop = gr.Button("Remove files", size="sm", elem_id="prompt-no-files")
        prompt_id, attached = gr.State(""), gr.State({})
        self.inputs = [prompt_id, name, text, attached]
        self.outputs = [self.frame.group, heading, prompt_id, name, text, attached, files]
        page.on(drop.click, lambda: [{}, ""], None, [attached, files])
        page.on(upload.upload, self.attach, [upload, use, attached], [attached, files])

    def open_new(self) -> list[Any]:
        """An empty form."""
        return self._shown("New prompt", Prompt("", id=""), {})

    def open_selected(self, ids: list[str], request: gr.Request) -> list[Any]:
        """The one prompt that is selected."""
        chosen = chosen_prompts(self._page.store, ids, owner_of(request))
        if len(chosen) > 1:
            raise InputError(f"{len(chosen)} prompts are selected; select the one to edit.")
        return self._shown("Edit prompt", chosen[0], self._names(owner_of(request)))

    def open_row(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """The prompt whose row was clicked."""
        prompt = self._page.store.prompts.get(components.clicked_id(event), owner_of(request))
        return self._shown("Edit prompt", prompt, self._names(owner_of(request)))

    def save(self, prompt_id: str, name: str, text: str, attached: dict[str, str], request: gr.Request) -> Any:
        """Save the prompt; returns the hidden form. What is selected stays as it is."""
        owner = owner_of(request)
        prompt = Prompt(text, dict(attached), name=name.strip())
        if prompt_id:
            prompt = replace(prompt, id=self._page.store.prompts.get(prompt_id, owner).id)
        self._page.store.prompts.save([prompt], owner)
        toast("Saved.")
        return hide()

    def attach(self, paths: list[str], use: str, attached: dict[str, str], request: gr.Request) -> list[Any]:
        """Keep uploaded files in the workspace, and let the prompt use them; each that isn't fit is refused by its name.

        Raises InputError where none of them is fit.
        """
        owner, inputs, refused = owner_of(request), dict(attached), list[str]()
        for path in paths:
            try:
                inputs |= self._attached(Path(path), use, owner)
            except InputError as error:
                refused.append(str(error))
        if len(refused) == len(paths):
            raise InputError(" ".join(refused))
        for sentence in refused:
            gr.Warning(as_toast(sentence))
        return [inputs, file_chips(inputs, self._names(owner))]

    def _attached(self, path: Path, use: str, owner: str) -> dict[str, str]:
        kept = self._page.store.inputs.add(path, path.name, owner)
        kinds = input_kinds()
        kind = next(known.kind for known in self._page.store.inputs.list(owner) if known.file == kept.name)
        if use and kinds[use] != kind:
            raise InputError(f"{path.name} is {kind}, and {use} takes {kinds[use]}; choose another use, or another file.")
        name = use or next((name for name, wanted in kinds.items() if wanted == kind), "")
        if not name:
            raise InputError(f"{path.name} is {kind}, and no engine takes that; choose a clip or a sound.")
        return {name: str(kept)}

    def _shown(self, heading: str, prompt: Prompt, names: dict[str, str]) -> list[Any]:
        inputs = dict(prompt.inputs)
        title = f"<h2>{heading}</h2>"
        return [gr.Column(visible=True), title, prompt.id, prompt.name, prompt.text, inputs, file_chips(inputs, names)]

    def _names(self, owner: str) -> dict[str, str]:
        return {known.file: known.name for known in self._page.store.inputs.list(owner)}
