"""The library: find, write, change, copy, delete, import and select prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.ui import components, markup
from cosmos_workflow.ui.components import Pager, Question, hide
from cosmos_workflow.ui.page import Page, owner_of, toast
from cosmos_workflow.ui.page_view import PageState, Window
from cosmos_workflow.ui.prompts.editor import PromptEditor
from cosmos_workflow.ui.prompts.selection import FILTERS, chosen_prompts, matching_prompts
from cosmos_workflow.ui.text import count, shorten_text

TABLE = "prompts-table"
IMPORT_HELP = (
    '<details class="cw-help"><summary>What a file to import holds</summary><p>A TXT has a prompt a line. A CSV has a header; '
    "four columns matter: <code>text</code> (or <code>prompt</code>), <code>name</code>, and <code>voice</code> and "
    "<code>video</code> with the name of a sound or clip that was added to a prompt before.</p>"
    "<pre>name,text,voice\nGreeting,Good morning.,me.wav</pre></details>"
)


class Library:
    """The table of prompts with its buttons; the editor opens above it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._store = page.store
        rows = "cw-of-prompts"
        with gr.Row(elem_classes=["cw-buttons", "cw-stick"]):
            new = gr.Button("New prompt", size="sm", elem_id="new-prompt")
            upload = gr.UploadButton("Import CSV or TXT", size="sm", file_types=[".csv", ".txt"], elem_id="import-prompts")
            everything = gr.Button("Select all", size="sm", elem_id="select-all-prompts", elem_classes=rows)
            edit = gr.Button("Edit", size="sm", elem_id="edit-prompt", elem_classes=rows)
            copy = gr.Button("Duplicate", size="sm", elem_id="duplicate-prompts", elem_classes=rows)
            delete = gr.Button("Delete", size="sm", elem_id="delete-prompts", elem_classes=rows)
        with gr.Row(elem_classes="cw-toolbar"):
            self.search = components.search("Text or name", "prompt-search")
            self.kind = components.menu(FILTERS, "Show", "prompt-filter", scale=1)
        gr.HTML(IMPORT_HELP, apply_default_css=False, elem_id="import-help")
        self.question = Question(page, "delete-prompts", "Delete")
        self.editor = PromptEditor(page)
        self.table = components.table(TABLE)
        self.pager = Pager(page, TABLE, drawn=self.table)
        self.selection = gr.JSON([], visible=False)
        self.chosen = [self.selection, self.search, self.kind]

        editor, question, selection = self.editor, self.question, self.selection
        filters, shown, chosen = [page.state, self.search, self.kind], [self.table], components.selected_in(TABLE)
        page.on_load(self.show, filters, shown)
        page.on(self.search.change, self.show_first, filters, shown, trigger_mode="always_last")
        page.on(self.kind.change, self.show_first, filters, shown)
        self.pager.wire(self.show, filters, shown)
        page.on(new.click, editor.open_new, None, editor.outputs)
        page.on(edit.click, editor.open_selected, [selection], editor.outputs, js=chosen)
        page.on(self.table.select, editor.open_row, None, editor.outputs)
        page.on(delete.click, self.ask_delete, [selection, self.search, self.kind], question.outputs, js=chosen)
        copied = page.on(copy.click, self.duplicate, [selection], None, js=chosen)
        deleted = page.on(question.yes.click, self.confirm_delete, [question.subject], [question.group, selection])
        imported = page.on(upload.upload, self.import_file, [upload], [selection])
        saved = page.on(editor.frame.save.click, editor.save, editor.inputs, [editor.frame.group])
        wanted = page.on(everything.click, self.all_ids, [self.search, self.kind], [selection])
        for event in (copied, deleted, imported, saved):
            page.on(event.success, self.show, filters, shown)
        for event in (deleted, imported, wanted):
            page.on(event.success, None, [selection], None, js=components.select_in(TABLE))

    def show(self, state: PageState, search: str, kind: str, request: gr.Request) -> dict[str, Any]:
        """A page of what matches."""
        owner = owner_of(request)
        if kind == "all":
            window = self.pager.window(state, self._store.prompts.count(owner, search))
            prompts = self._store.prompts.list(owner, search, self.pager.size, window.first)
        else:
            found = matching_prompts(self._store, owner, search, kind)
            window = self.pager.window(state, len(found))
            prompts = found[window.rows]
        names = {known.file: known.name for known in self._store.inputs.list(owner)}
        return prompts_table(prompts, names, window, filtered=bool(search) or kind != "all")

    def show_first(self, state: PageState, search: str, kind: str, request: gr.Request) -> dict[str, Any]:
        """The first page of what matches."""
        self.pager.turn(state, 0)
        return self.show(state, search, kind, request)

    def duplicate(self, ids: list[str], request: gr.Request) -> None:
        """Add the selected prompts once more."""
        chosen = chosen_prompts(self._store, ids, owner_of(request))
        self._store.prompts.save([Prompt(known.text, known.inputs, name=known.name) for known in chosen], owner_of(request))
        toast(f"Duplicated {count(len(chosen), 'prompt')}.")

    def ask_delete(self, ids: list[str], search: str, kind: str, request: gr.Request) -> list[Any]:
        """Ask, saying how many, and how many of them the search and the filter hide."""
        owner = owner_of(request)
        chosen = [prompt.id for prompt in chosen_prompts(self._store, ids, owner)]
        matching = {prompt.id for prompt in matching_prompts(self._store, owner, search, kind)}
        hidden = sum(prompt_id not in matching for prompt_id in chosen)
        among = f", {hidden:,} of them hidden by the search or the filter" if hidden else ""
        question = f"Delete {count(len(chosen), 'prompt')} from the library{among}? What is queued or was made stays."
        return self.question.shown(question, chosen)

    def confirm_delete(self, ids: tuple[str, ...], request: gr.Request) -> list[Any]:
        """Delete the prompts that were asked about; nothing is selected then."""
        toast(f"Deleted {count(self._store.prompts.delete(ids, owner_of(request)), 'prompt')}.")
        return [hide(), []]

    def import_file(self, path: str, request: gr.Request) -> list[str]:
        """Import a file, all of it or nothing; returns the ids of what it held."""
        added = self._store.prompts.import_file(Path(path), owner_of(request))
        toast(f"Imported {count(len(added), 'prompt')}.")
        return [prompt.id for prompt in added]

    def all_ids(self, search: str, kind: str, request: gr.Request) -> list[str]:
        """The ids of everything that matches, on all pages."""
        return [prompt.id for prompt in matching_prompts(self._store, owner_of(request), search, kind)]

    def choose(self, wanted: Prompt, owner: str) -> list[Any]:
        """Values for `chosen` with the library's prompt of this text and these inputs, added where it isn't there any more, and
        with nothing looked for that would hide it."""
        known = self._store.prompts.list(owner)
        found = next((one for one in known if (one.text, dict(one.inputs)) == (wanted.text, dict(wanted.inputs))), None)
        try:
            prompt = found or self._store.prompts.save([wanted], owner)[0]
        except InputError as error:
            names = ", ".join(shorten(Path(path).name) for path in wanted.inputs.values())
            raise InputError(f"{names} of its prompt isn't among your files (any more); add it to a prompt first.") from error
        return [[prompt.id], "", "all"]

    def show_chosen(self, event: Any) -> None:
        """After an event that wrote into `chosen`: show the first page, with this prompt selected and no other."""
        page = self._page
        page.on(event.success, self.show_first, [page.state, self.search, self.kind], [self.table])
        page.on(event.success, None, [self.selection], None, js=components.select_in(TABLE))


def prompts_table(prompts: Sequence[Prompt], names: Mapping[str, str], window: Window, *, filtered: bool) -> dict[str, Any]:
    """A page of the library; `names` gives the name an input file came with."""
    empty = "No prompt matches." if filtered else "The library is empty. Write a prompt, or import a CSV or TXT file."
    # A selection may lie on other pages and behind other filters.
    return {**markup.table_value(["Prompt"], [_row(prompt, names) for prompt in prompts], empty, window), "complete": False}


def _row(prompt: Prompt, names: Mapping[str, str]) -> markup.Row:
    title = shorten_text(prompt.name or prompt.text, 160)
    below = markup.sub(shorten_text(prompt.text, 160)) if prompt.name else ""
    cell = markup.main_cell(title, below + markup.file_chips(prompt.inputs, names))
    return {"id": prompt.id, "html": cell, "name": title[:60]}
