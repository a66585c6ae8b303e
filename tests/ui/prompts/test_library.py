"""The library and what is made of it: handlers, called as what they are, functions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
import soundfile

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing import Prompt, Queue
from cosmos_workflow.ui.page import Page, owner_of
from cosmos_workflow.ui.page_view import PageState
from cosmos_workflow.ui.prompts.configuration import Configuration
from cosmos_workflow.ui.prompts.editor import PromptEditor
from cosmos_workflow.ui.prompts.library import Library

ANN = cast("gr.Request", SimpleNamespace(username="ann"))
NOBODY = cast("gr.Request", SimpleNamespace(username=None))


def values_of(form: Configuration) -> list[Any]:
    return [component.value for component in form.forms.components]


def test_add_queues_the_selected_prompts_in_the_order_of_the_library(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt(text, id=f"ps_{text}") for text in ("one", "two", "three")])
    form = Configuration(page, "prompts-table")
    form.add(["ps_three", "ps_one", "ps_gone"], session.queue, "espeak", *values_of(form))
    assert [item.prompt_text for item in session.queue.snapshot().items] == ["one", "three"]


def test_add_changes_nothing_when_something_is_wrong(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt("text", id="ps_1"), Prompt("no clip", id="ps_2")])
    form = Configuration(page, "prompts-table")
    for ids, engine in ([], "espeak"), (["ps_gone"], "espeak"), (["ps_1", "ps_2"], "control-preview"), (["ps_1"], "chatterbox"):
        with pytest.raises(Exception, match=r"tick at least one|input 'video' is missing|weights"):
            form.add(ids, session.queue, engine, *values_of(form))
    assert len(session.queue) == 0


def test_nobody_queues_with_the_prompts_of_others(page: Page, sessions: Sessions) -> None:
    page.store.prompts.save([Prompt("Ann's", id="ps_ann")], "ann")
    form = Configuration(page, "prompts-table")
    with pytest.raises(InputError, match="tick at least one"):
        form.add(["ps_ann"], sessions.open("", "bob").queue, "espeak", *values_of(form))


def test_a_page_whose_queue_is_unknown_says_to_reload(page: Page) -> None:
    form = Configuration(page, "prompts-table")
    with pytest.raises(InputError, match="reload the page"):
        form.add(["ps_1"], Queue(), "espeak", *values_of(form))


def test_the_library_shows_only_its_owners_prompts(page: Page) -> None:
    page.store.prompts.save([Prompt("Ann's", id="ps_ann")], "ann")
    page.store.prompts.save([Prompt("mine", id="ps_mine")])
    library = Library(page)
    assert [row["id"] for row in library.show(PageState(), "", "all", ANN)[0]["rows"]] == ["ps_ann"]
    assert [row["id"] for row in library.show(PageState(), "", "all", NOBODY)[0]["rows"]] == ["ps_mine"]
    with pytest.raises(InputError):
        library.ask_delete(["ps_ann"], "", "all", NOBODY)
    library.confirm_delete(("ps_ann",), NOBODY)
    assert page.store.prompts.count("ann") == 1
    assert owner_of(None) == "local"


def test_the_library_is_searched_filtered_and_paged(page: Page) -> None:
    page.store.prompts.save([Prompt(f"text {number}") for number in range(250)])
    library, state = Library(page), PageState()
    first = library.show(state, "", "all", NOBODY)
    library.pager.turn(state, 1)
    second = library.show(state, "", "text", NOBODY)
    assert (len(first[0]["rows"]), len(second[0]["rows"])) == (200, 50)
    assert second[0]["page"] == "201 to 250 of 250"
    library.pager.turn(state, 99)
    assert library.show(state, "", "all", NOBODY)[0]["page"] == "201 to 250 of 250"
    assert library.show(state, "", "video", NOBODY)[0]["empty"] == "No prompt matches."
    page.store.prompts.save([Prompt("a needle", id="ps_needle"), Prompt("another needle", id="ps_other")])
    assert library.all_ids("needle an", "all", NOBODY) == ["ps_other"]


def test_two_pages_that_send_the_same_file_both_get_it(page: Page, tmp_path: Path) -> None:
    # Gradio keeps a content in one place, whichever page it came from.
    editor = PromptEditor(page)
    clip, table = tmp_path / "clip.wav", tmp_path / "table.txt"
    soundfile.write(clip, np.zeros(800), 8_000)
    table.write_text("One.\nTwo.\n")
    attached = [editor.attach(str(clip), "", {}, NOBODY)[0] for _ in range(2)]
    assert attached[0] == attached[1] != {}
    library = Library(page)
    assert [len(library.import_file(str(table), NOBODY)) for _ in range(2)] == [2, 2]
