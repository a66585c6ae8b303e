"""The library: find, write, change, copy, delete, import and select prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from cosmos_workflow.queueing import Prompt
from cosmos_workflow.ui import lists, markup
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.page import Page, owner_of, tell
from cosmos_workflow.ui.prompts.editor import Editor
from cosmos_workflow.ui.prompts.selection import FILTERS, chosen_prompts, matching_prompts, page_of_prompts
from cosmos_workflow.ui.view import PAGE_SIZE, count

TABLE = "prompts-table"


class Library:
    """The table of prompts with its buttons; the editor opens above it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._store = page.store
        with gr.Row(elem_classes="cw-toolbar"):
            self.search = gr.Textbox(
                label="Search", placeholder="Text or name", max_lines=1, scale=3, min_width=140, elem_id="prompt-search"
            )
            self.kind = gr.Dropdown(
                FILTERS, value="all", label="Show", scale=1, min_width=150, filterable=False, elem_id="prompt-filter"
            )
        with gr.Row(elem_classes="cw-buttons"):
            self.new = gr.Button("New prompt", size="sm", elem_id="new-prompt")
            self.edit = gr.Button("Edit", size="sm", elem_id="edit-prompt", elem_classes="cw-for-rows")
            self.duplicate = gr.Button("Duplicate", size="sm", elem_id="duplicate-prompts", elem_classes="cw-for-rows")
            self.delete = gr.Button("Delete", size="sm", elem_id="delete-prompts", elem_classes="cw-for-rows")
            self.upload = gr.UploadButton("Import CSV or TXT", size="sm", file_types=[".csv", ".txt"], elem_id="import-prompts")
            self.everything = gr.Button("Select all", size="sm", elem_id="select-all-prompts", elem_classes="cw-for-rows")
        self.ask = Ask(page, "delete-prompts", "Delete")
        self.editor = Editor(page)
        self.table = lists.table(TABLE)
        with gr.Row(elem_classes="cw-buttons", visible=False) as self.pager:
            self.previous = gr.Button("Previous", size="sm")
            self.following = gr.Button("Next", size="sm")
        self.selection = gr.JSON([], visible=False)
        self.place = gr.State(0)
        self._shown = [self.table, self.place, self.pager]
        self._wire()

    def show(self, search: str, kind: str, place: int, request: gr.Request) -> list[Any]:
        """A page of what matches."""
        owner = owner_of(request)
        total, prompts, place = page_of_prompts(self._store, owner, search, kind, place)
        names = {known.file: known.name for known in self._store.inputs.list(owner)}
        value = markup.prompts_table(prompts, place, total, names, filtered=bool(search) or kind != "all")
        return [value, place, gr.Row(visible=total > PAGE_SIZE)]

    def show_first(self, search: str, kind: str, request: gr.Request) -> list[Any]:
        """The first page of what matches."""
        return self.show(search, kind, 0, request)

    def show_previous(self, search: str, kind: str, place: int, request: gr.Request) -> list[Any]:
        """The page before this one."""
        return self.show(search, kind, place - 1, request)

    def show_next(self, search: str, kind: str, place: int, request: gr.Request) -> list[Any]:
        """The page after this one."""
        return self.show(search, kind, place + 1, request)

    def copy(self, ids: list[str], request: gr.Request) -> None:
        """Add the selected prompts once more."""
        chosen = chosen_prompts(self._store, ids, owner_of(request))
        self._store.prompts.save([Prompt(known.text, known.inputs, name=known.name) for known in chosen], owner_of(request))
        tell(f"Duplicated {count(len(chosen), 'prompt')}.")

    def ask_delete(self, ids: list[str], request: gr.Request) -> list[Any]:
        """Ask, saying how many."""
        number = len(chosen_prompts(self._store, ids, owner_of(request)))
        return self.ask.shown(f"Delete {count(number, 'prompt')} from the library? What is queued or was made stays.")

    def really_delete(self, ids: list[str], request: gr.Request) -> list[Any]:
        """Delete the selected prompts; nothing is selected then."""
        tell(f"Deleted {count(self._store.prompts.delete(ids or (), owner_of(request)), 'prompt')}.")
        return [self.ask.hidden(), []]

    def read_file(self, path: str, request: gr.Request) -> list[str]:
        """Import a file, all of it or nothing; returns the ids of what it held."""
        added = self._store.prompts.import_file(Path(path), owner_of(request), name=Path(path).name)
        tell(f"Imported {count(len(added), 'prompt')}.")
        return [prompt.id for prompt in added]

    def all_ids(self, search: str, kind: str, request: gr.Request) -> list[str]:
        """The ids of everything that matches, on all pages."""
        return [prompt.id for prompt in matching_prompts(self._store, owner_of(request), search, kind)]

    def _wire(self) -> None:
        page, editor = self._page, self.editor
        search, view = [self.search, self.kind], [self.search, self.kind, self.place]
        chosen = lists.selected_in(TABLE)
        page.on_load(self.show, view, self._shown)
        page.on(self.search.change, self.show_first, search, self._shown, trigger_mode="always_last")
        page.on(self.kind.change, self.show_first, search, self._shown)
        page.on(self.previous.click, self.show_previous, view, self._shown)
        page.on(self.following.click, self.show_next, view, self._shown)
        page.on(self.new.click, editor.open_new, None, editor.outputs)
        page.on(self.edit.click, editor.open_selected, [self.selection], editor.outputs, js=chosen)
        page.on(self.table.select, editor.open_row, None, editor.outputs)
        page.on(self.delete.click, self.ask_delete, [self.selection], self.ask.outputs, js=chosen)
        copied = page.on(self.duplicate.click, self.copy, [self.selection], None, js=chosen)
        deleted = page.on(self.ask.yes.click, self.really_delete, [self.selection], [self.ask.group, self.selection], js=chosen)
        imported = page.on(self.upload.upload, self.read_file, [self.upload], [self.selection])
        saved = page.on(editor.save.click, editor.keep, editor.inputs, [*editor.outputs, self.selection])
        everything = page.on(self.everything.click, self.all_ids, search, [self.selection])
        for event in (copied, deleted, imported, saved):
            page.on(event.success, self.show, view, self._shown)
        for event in (deleted, imported, everything):
            page.on(event.success, None, [self.selection], None, js=lists.select_in(TABLE))
        page.on(saved.success, None, [self.selection], None, js=lists.also_select_in(TABLE))
