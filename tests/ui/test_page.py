"""The whole page, and what its handlers share."""

from __future__ import annotations

import gradio as gr
import pytest

from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.queueing import Queue
from cosmos_workflow.ui import app
from cosmos_workflow.ui.page import Page, guard


def test_the_whole_page_is_built_with_the_fixed_ids(sessions: Sessions) -> None:
    demo = app.build(sessions)
    ids = {getattr(block, "elem_id", None) for block in demo.blocks.values()}
    fixed = (
        "prompts-table add-to-queue queue-counter clear-config queue-table start-queue pause-queue clear-queue remove-selected"
    )
    assert {*fixed.split(), "cancel-running", "batch-preview", "live-updates", "results-gallery"} <= ids
    assert len([name for name in ids if name]) == len({name for name in ids if name})


def test_a_state_is_a_queue_of_its_own_in_every_visit(page: Page) -> None:
    import copy

    default = page.queue.value
    assert isinstance(default, Queue)
    assert copy.deepcopy(default) is not default
    assert copy.deepcopy(default).token != default.token


def test_an_error_nobody_expected_is_a_sentence_and_a_logged_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise KeyError("secret")

    with pytest.raises(gr.Error, match=r"Something went wrong in Cosmos Workflow itself \(KeyError\)") as caught:
        guard(broken)()
    assert "secret" not in caught.value.message
    assert "Traceback" in caplog.text


def test_the_browsers_secret_outlives_a_restart(sessions: Sessions) -> None:
    workspace = sessions.operations.workspace
    assert app.browser_secret(workspace) == app.browser_secret(workspace)
    assert len(app.browser_secret(workspace)) == 32
