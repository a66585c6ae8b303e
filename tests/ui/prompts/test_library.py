"""The library and what is made of it: handlers, called as what they are, functions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gradio as gr
import numpy as np
import pytest
import soundfile

from cosmos_workflow.config import assets_dir
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


def add(form: Configuration, ids: list[str], queue: Queue, engine: str, sweep: str = "", when: str = "normal") -> None:
    form.add(ids, queue, engine, sweep, when, False, *(component.value for component in form.forms.components))


def test_add_queues_the_selected_prompts_in_the_order_of_the_library(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt(text, id=f"ps_{text}") for text in ("one", "two", "three")])
    form = Configuration(page, "prompts-table")
    add(form, ["ps_three", "ps_one", "ps_gone"], session.queue, "espeak")
    assert [item.prompt_text for item in session.queue.snapshot().items] == ["one", "three"]


def test_a_sweep_adds_an_item_for_each_combination_next_or_in_the_background(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt(text, id=f"ps_{text}") for text in ("one", "two")])
    form = Configuration(page, "prompts-table")
    add(form, ["ps_one"], session.queue, "espeak")
    add(form, ["ps_two"], session.queue, "espeak", sweep="rate: 90, 100..101", when="next")
    made = [(item.prompt_text, item.params["rate"]) for item in session.queue.snapshot().items]
    assert made == [("two", 90), ("two", 100), ("two", 101), ("one", 175)]
    add(form, ["ps_one"], session.queue, "espeak", when="background")
    assert len(session.queue) == 4
    assert len(page.background.of("local").queue) == 1
    with pytest.raises(InputError, match="rate: 9999"):
        add(form, ["ps_one"], session.queue, "espeak", sweep="rate: 90, 9999")
    assert len(session.queue) == 4


def test_add_changes_nothing_when_something_is_wrong(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt("text", id="ps_1"), Prompt("no clip", id="ps_2")])
    form = Configuration(page, "prompts-table")
    for ids, engine in ([], "espeak"), (["ps_gone"], "espeak"), (["ps_1", "ps_2"], "control-preview"), (["ps_1"], "chatterbox"):
        with pytest.raises(Exception, match=r"tick at least one|input 'video' is missing|weights"):
            add(form, ids, session.queue, engine)
    assert len(session.queue) == 0


def test_nobody_queues_with_the_prompts_of_others(page: Page, sessions: Sessions) -> None:
    page.store.prompts.save([Prompt("Ann's", id="ps_ann")], "ann")
    form = Configuration(page, "prompts-table")
    with pytest.raises(InputError, match="tick at least one"):
        add(form, ["ps_ann"], sessions.open("", "bob").queue, "espeak")


def test_a_page_whose_queue_is_unknown_says_to_reload(page: Page) -> None:
    form = Configuration(page, "prompts-table")
    with pytest.raises(InputError, match="reload the page"):
        add(form, ["ps_1"], Queue(), "espeak")


def test_the_library_shows_only_its_owners_prompts(page: Page) -> None:
    page.store.prompts.save([Prompt("Ann's", id="ps_ann")], "ann")
    page.store.prompts.save([Prompt("mine", id="ps_mine")])
    library = Library(page)
    assert [row["id"] for row in library.show(PageState(), "", "all", ANN)["rows"]] == ["ps_ann"]
    assert [row["id"] for row in library.show(PageState(), "", "all", NOBODY)["rows"]] == ["ps_mine"]
    with pytest.raises(InputError):
        library.ask_delete(["ps_ann"], "", "all", NOBODY)
    library.confirm_delete(("ps_ann",), NOBODY)
    assert page.store.prompts.count("ann") == 1
    assert owner_of(None) == "local"


def test_the_library_is_searched_filtered_and_paged(page: Page) -> None:
    page.store.prompts.save([Prompt(f"text {number}") for number in range(70)])
    library, state = Library(page), PageState()
    first = library.show(state, "", "all", NOBODY)
    library.pager.turn(state, 1)
    second = library.show(state, "", "text", NOBODY)
    assert (len(first["rows"]), len(second["rows"])) == (50, 20)
    assert second["page"] == "51 to 70 of 70"
    library.pager.turn(state, 99)
    assert library.show(state, "", "all", NOBODY)["page"] == "51 to 70 of 70"
    assert library.show(state, "", "video", NOBODY)["empty"] == "No prompt matches."
    page.store.prompts.save([Prompt("a needle", id="ps_needle"), Prompt("another needle", id="ps_other")])
    assert library.all_ids("needle an", "all", NOBODY) == ["ps_other"]


def test_two_pages_that_send_the_same_file_both_get_it(page: Page, tmp_path: Path) -> None:
    # Gradio keeps a content in one place, whichever page it came from.
    editor = PromptEditor(page)
    clip, table = tmp_path / "clip.wav", tmp_path / "table.txt"
    soundfile.write(clip, np.zeros(800), 8_000)
    table.write_text("One.\nTwo.\n")
    attached = [editor.attach([str(clip)], "", {}, NOBODY)[0] for _ in range(2)]
    assert attached[0] == attached[1] != {}
    library = Library(page)
    assert [len(library.import_file(str(table), NOBODY)) for _ in range(2)] == [2, 2]


def test_of_several_files_the_unfit_ones_are_refused_by_name_and_the_rest_go_in(
    page: Page, tmp_path: Path, toasts: list[str]
) -> None:
    editor = PromptEditor(page)
    whole, cut, page_of_web = tmp_path / "voice.wav", tmp_path / "cut.flac", tmp_path / "fake.mp4"
    soundfile.write(whole, np.zeros(8_000), 8_000)
    cut.write_bytes((assets_dir() / "samples" / "voice.flac").read_bytes()[:60])
    page_of_web.write_text("<html>", encoding="utf-8")
    inputs, chips = editor.attach([str(cut), str(whole), str(page_of_web)], "", {}, NOBODY)
    assert list(inputs) == ["voice"]
    assert "voice.wav" in chips
    assert ["cut.flac" in toasts[0], "fake.mp4" in toasts[1], len(toasts)] == [True, True, 2]
    with pytest.raises(InputError, match=r"cut\.flac"):
        editor.attach([str(cut)], "", {}, NOBODY)
