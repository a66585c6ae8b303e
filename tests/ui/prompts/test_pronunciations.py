"""What the page adds to a queue is spoken by its owner's own list."""

from __future__ import annotations

from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.prompts.configuration import Configuration
from cosmos_workflow.ui.prompts.library import TABLE


def test_an_item_carries_the_list_as_it_was_when_it_was_added(page: Page) -> None:
    configuration = Configuration(page, TABLE)
    session = page.sessions.open("", LOCAL)
    prompt = page.store.prompts.save([Prompt("A GIF by Ida.")])[0]
    page.store.pronunciations.save(LOCAL, "GIF: jif\nIda: /aida/")
    values = configuration.forms.fill("espeak", {}, {})
    configuration.add([prompt.id], session.queue, "espeak", None, "normal", False, *values)
    page.store.pronunciations.save(LOCAL, "")
    item = session.queue.snapshot().items[0]
    assert item.params["pronunciations"] == "GIF: jif"
