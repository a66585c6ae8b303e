"""The page, put together. Each tab has its components and its wiring in a file of its own."""

from __future__ import annotations

import secrets

import gradio as gr

from cosmos_workflow.config import Workspace
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.files import file_errors
from cosmos_workflow.queueing import Queue
from cosmos_workflow.ui import api, lists, markup, view
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.jobs import tab as jobs
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.live import Refresher
from cosmos_workflow.ui.page import Page, owner_of, tell
from cosmos_workflow.ui.prompts import tab as prompts
from cosmos_workflow.ui.queue import tab as queue
from cosmos_workflow.ui.results import tab as results

NAME = "Cosmos Workflow"
UPLOADS_KEPT = (600, 3600)
"""Seconds between two looks for old uploads, and after which one is deleted; what is used was copied.

A handler must not delete what it has read: gradio keeps a content in one place, and another page may be about to read it.
"""
STORAGE_KEY = "cosmos-workflow-queue"
SECRET_FILE = "browser-secret"  # noqa: S105 - the name of a file


def build(sessions: Sessions, managers: JobManagers | None = None) -> gr.Blocks:
    """The page over these sessions and jobs; the caller serves it."""
    with gr.Blocks(title=NAME, analytics_enabled=False, fill_width=True, delete_cache=UPLOADS_KEPT) as demo:
        page = Page(sessions)
        token = gr.BrowserState("", storage_key=STORAGE_KEY, secret=browser_secret(sessions.operations.workspace))
        enabled, wake = _header(page)
        comeback = Ask(page, "come-back", "Start", no="Not now", harmless=True)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Prompts", id="prompts") as prompts_tab:
                library = prompts.build(page)
            with gr.Tab("Queue", id="queue") as queue_tab:
                queue.build(page, comeback)
            with gr.Tab("Jobs", id="jobs") as jobs_tab:
                pass
            with gr.Tab("Results", id="results") as results_tab:
                results.build(page, tabs, library)
        with jobs_tab:
            jobs.build(page, managers or JobManagers(sessions.operations), jobs_tab, [prompts_tab, queue_tab, results_tab])
        api.build(page)
        # Outside the tabs: a timer in a tab that was never opened doesn't tick.
        _open(demo, page, token, Refresher(page, gr.Timer(1, active=False), enabled, wake))
    return demo


def _header(page: Page) -> tuple[gr.Checkbox, gr.Button]:
    with gr.Row(elem_id="cw-header"):
        gr.HTML(f"<h1>{NAME}</h1>", apply_default_css=False, scale=1)
        counter = lists.counter("queue-counter")
        enabled = gr.Checkbox(True, label="Live updates", elem_id="live-updates", container=False, scale=0, min_width=130)
    wake = gr.Button("Refresh", elem_id="wake-up", visible="hidden")
    page.follow(counter, lambda picture, _visit: picture.snapshot.version, lambda picture, _visit: markup.counter(picture))
    return enabled, wake


def _open(demo: gr.Blocks, page: Page, token: gr.BrowserState, refresher: Refresher) -> None:
    def find_queue(known: str, request: gr.Request) -> tuple[Queue, str]:
        session = page.sessions.open(known if isinstance(known, str) else "", owner_of(request))
        picture = page.picture(session.queue)
        if picture.came_back and not picture.is_running and page.operations.workspace.settings.startup != "ask":
            tell(view.state_text(picture))
        return session.queue, session.token

    found = page.on(demo.load, find_queue, [token], [page.queue, token])
    page.on(found.then, refresher.refresh_all, refresher.inputs, refresher.outputs)
    for wiring in (*page.loading, *page.opening):
        page.on(found.then, wiring.fn, wiring.inputs, wiring.outputs, **wiring.options)


def browser_secret(workspace: Workspace) -> str:
    """What the browser's copy of the token is encrypted with: the same after a restart, or the token would be lost."""
    path = workspace.root / SECRET_FILE
    with file_errors(f"The workspace {workspace.root}"):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(16), encoding="ascii")
        return path.read_text(encoding="ascii").strip()
