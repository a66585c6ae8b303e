"""The page, put together. Each tab has its components and its wiring in a folder of its own."""

from __future__ import annotations

import secrets

import gradio as gr

from cosmos_workflow.config import Workspace
from cosmos_workflow.execution.background_queue import BackgroundQueues
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.files import file_errors
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui import api, components
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.tab import JobsTab
from cosmos_workflow.ui.jobs.view import jobs_text
from cosmos_workflow.ui.live import Refresher
from cosmos_workflow.ui.page import Page, owner_of, toast
from cosmos_workflow.ui.prompts.tab import PromptsTab
from cosmos_workflow.ui.prompts.welcome import Welcome
from cosmos_workflow.ui.queue import tab as queue
from cosmos_workflow.ui.queue.others import OtherQueues
from cosmos_workflow.ui.queue.start import StartAndPause
from cosmos_workflow.ui.queue.view import end_notice, state_text
from cosmos_workflow.ui.results.shelf import Shelves
from cosmos_workflow.ui.results.tab import Results

NAME = "Cosmos Workflow"
UPLOADS_KEPT = (600, 3600)
"""Seconds between two looks for old uploads, and after which one is deleted; what is used was copied.

A handler must not delete what it has read: gradio keeps a content in one place, and another page may be about to read it.
"""
KEYS = '<button type="button" class="cw-keys" aria-label="Keys and settings" title="Keys and settings (?)">?</button>'
STORAGE_KEY = "cosmos-workflow-queue"
SECRET_FILE = "browser-secret"  # noqa: S105 - the name of a file


def build(sessions: Sessions, managers: JobManagers | None = None, background: BackgroundQueues | None = None) -> gr.Blocks:
    """The page over these sessions and jobs; the caller serves it."""
    jobs = managers or JobManagers(sessions.operations)
    with gr.Blocks(title=NAME, analytics_enabled=False, fill_width=True, delete_cache=UPLOADS_KEPT) as demo:
        page = Page(sessions, background)
        token = gr.BrowserState("", storage_key=STORAGE_KEY, secret=browser_secret(sessions.operations.workspace))
        with gr.Row(elem_id="cw-header"):
            gr.HTML(f"<h1>{NAME} {KEYS}</h1>", apply_default_css=False, scale=1)
            components.counter(page, "queue-counter", lambda owner: jobs_text(jobs.of(owner).snapshot()), end_notice)
            start = StartAndPause(page)
            enabled = gr.Checkbox(True, label="Live updates", elem_id="live-updates", container=False, scale=0, min_width=130)
        refresh = gr.Button("Refresh", elem_id="wake-up", visible="hidden")
        OtherQueues(page, token)
        start.ask()
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Prompts", id="prompts") as prompts_tab:
                prompts = PromptsTab(page)
            with gr.Tab("Queue", id="queue") as queue_tab:
                queue.build(page, lambda: Welcome(page, "welcome-queue"))
            with gr.Tab("Jobs", id="jobs") as jobs_tab:
                pass
            with gr.Tab("Results", id="results") as results_tab:
                Results(
                    page,
                    [tabs, *prompts.outputs],
                    lambda run, owner: [gr.Tabs(selected="prompts"), *prompts.load(run, owner)],
                    prompts.after_load,
                    Shelves(jobs.of),
                    lambda: jobs.heard.heard,
                )
        with jobs_tab:
            JobsTab(page, jobs, jobs_tab, [prompts_tab, queue_tab, results_tab])
        api.build(page)
        # Outside the tabs: a timer in a tab that was never opened doesn't tick.
        refresher = Refresher(page, gr.Timer(1, active=False), enabled, refresh)

        def find_queue(known: str, request: gr.Request) -> tuple[Queue, str]:
            session = page.sessions.open(known if isinstance(known, str) else "", owner_of(request))
            now = page.view(session.queue)
            if now.restored and not now.snapshot.active and page.operations.workspace.settings.startup != "ask":
                toast(state_text(now))
            return session.queue, session.token

        found = page.on(demo.load, find_queue, [token], [page.queue, token])
        page.on(found.then, refresher.refresh_all, refresher.inputs, refresher.outputs)
        for wiring in (*page.loading, *page.opening):
            page.on(found.then, wiring.fn, wiring.inputs, wiring.outputs, **wiring.options)
    return demo


def browser_secret(workspace: Workspace) -> str:
    """What the browser's copy of the token is encrypted with: the same after a restart, or the token would be lost."""
    path = workspace.root / SECRET_FILE
    with file_errors(f"The workspace {workspace.root}"):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(16), encoding="ascii")
        return path.read_text(encoding="ascii").strip()
