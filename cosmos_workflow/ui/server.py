"""Serves the page: who may connect, who may see which file, and how it stops."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from cosmos_workflow.config import Hours, Workspace
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.execution.background_queue import BackgroundQueues
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.execution.task_router import Pool
from cosmos_workflow.gpu_dispatch.pool import WorkerPool
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.ui.access.guard import Guard, check_names, is_loopback
from cosmos_workflow.ui.access.users import read_users
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.speech_api.queue import SpeechQueues

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    workspace: Workspace,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: str | None = None,
    names: Sequence[str] = (),
    speech_api: bool = False,
    gpu_ids: Sequence[int | None] | None = (None,),
    pool: Callable[..., Pool] = WorkerPool,
    operations: Operations | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until it is interrupted. Port 0 takes a free one; `on_ready` gets the address, and so does stdout.

    Any host but loopback needs `auth`, "user:password" lines or a file of such, and so do `names`, under which a proxy on this
    machine serves it; what that says of its clients is believed. With `speech_api`, speech is served as OpenAI's API does.
    Raises UnavailableError where the port is taken, the workspace is open in another page, or the host isn't protected.
    """
    users = read_users(auth)
    check_names(names)
    if names and not users:
        raise UnavailableError(f"The name {names[0]} lets others in; add --auth with a file of user:password lines.")
    if not users and not is_loopback(host):
        raise UnavailableError(
            f"Listening on {host} lets others in; add --auth with a file of user:password lines, or listen on 127.0.0.1."
        )
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(listen(host, port)))
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{listener.getsockname()[1]}"
        stack.enter_context(workspace.app_lock(url))
        shutil.rmtree(workspace.uploads, ignore_errors=True)
        sessions = Sessions(operations or stack.enter_context(Operations(workspace, gpu_ids=gpu_ids, pool=pool)))
        stack.callback(sessions.close)
        managers = JobManagers(sessions.operations)
        stack.callback(managers.close)
        hours = Hours.parse(workspace.settings.background_hours)
        background, speech = background_and_speech(sessions, managers, hours, speech_api)
        if speech:
            stack.callback(speech.close)
        app = make_app(sessions, users, host, managers, names, speech, background)
        background.start()
        stack.callback(background.close)
        _run(app, listener, url, on_ready, behind_proxy=bool(names))


def background_and_speech(
    sessions: Sessions, managers: JobManagers, hours: Hours | None, speech_api: bool
) -> tuple[BackgroundQueues, SpeechQueues | None]:
    """The queues that wait for everything else, and those of the speech API, which go before them."""
    speech: SpeechQueues | None = None
    background = BackgroundQueues(sessions, hours, lambda: managers.are_busy() or (speech is not None and speech.busy))
    if speech_api:
        speech = SpeechQueues(sessions.operations, background.wake)
    return background, speech


def make_app(
    sessions: Sessions,
    users: dict[str, str],
    host: str = "127.0.0.1",
    managers: JobManagers | None = None,
    names: Sequence[str] = (),
    speech: SpeechQueues | None = None,
    background: BackgroundQueues | None = None,
) -> FastAPI:
    """The page with its media, and the speech API where `speech` is given, behind the guard. Whoever gives them closes them."""
    workspace = sessions.operations.workspace
    # Before the page, which takes seconds to be imported and built: what ran goes on meanwhile.
    sessions.restore()
    managers = managers or JobManagers(sessions.operations)
    owners = list(users) or [LOCAL]
    for owner in owners:
        managers.of(owner).background.restore()
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(workspace.uploads)}
    import gradio as gr
    from fastapi import FastAPI

    from cosmos_workflow.ui import routes, session_states, theme
    from cosmos_workflow.ui.access.border import GradioBorder
    from cosmos_workflow.ui.access.uploads import Uploads
    from cosmos_workflow.ui.app import build
    from cosmos_workflow.ui.prompts.welcome import add_samples
    from cosmos_workflow.ui.results.shelf import Shelves

    for owner in owners:
        add_samples(sessions.operations.store, owner)
    demo = build(sessions, managers, background)
    demo.queue(default_concurrency_limit=None)
    # Gradio looks whether a path lies among the uploads only where it believes to have been launched.
    demo.has_launched = True
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    routes.serve_results(app, sessions.operations.store, Shelves(managers.of).folded)
    routes.serve_jobs(app, managers)
    routes.serve_rest(app, sessions)
    if speech:
        from cosmos_workflow.ui.speech_api.routes import router

        app.include_router(router(speech))
    app = gr.mount_gradio_app(
        app,
        demo,
        path="/",
        auth_dependency=(lambda request: request.scope.get("user_name")) if users else None,
        max_file_size=workspace.settings.max_upload_mb * 1_000_000,
        footer_links=["api"],
        run_history=False,
        show_error=True,
        ssr_mode=False,
        pwa=False,
        theme=theme.theme(),
        css=theme.css(),
        head=theme.head(),
    )
    app.state.pages = session_states.remember_less(app, demo)
    mount: Any = app.routes[-1]
    quota = sessions.operations.store.inputs.quota
    uploads = Uploads(workspace.uploads, workspace.settings.max_upload_mb * 1_000_000, quota)
    mount.app = GradioBorder(mount.app, demo, uploads)
    app.add_middleware(Guard, users=users, host=host, names=names)
    return app


def listen(host: str, port: int) -> socket.socket:
    """A socket on this address that takes no connection yet; raises UnavailableError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns TCP_NODELAY on: otherwise every request of a kept connection waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        advice = "is the page open already? Close it, or choose another with --port"
        raise UnavailableError(f"Port {port} on {host} can't be used ({error.strerror or error}): {advice}.") from error
    return listener


def _run(app: FastAPI, listener: socket.socket, url: str, on_ready: Callable[[str], None] | None, *, behind_proxy: bool) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"Cosmos Workflow is at {url} (stop it with Ctrl+C)", flush=True)  # noqa: T201 - what a person waits for
            if on_ready:
                on_ready(url)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Streams to open pages are cut off now; that is no error to tell.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            super().handle_exit(sig, frame)

    # Streams to open pages never end by themselves.
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=2, ws="none", proxy_headers=behind_proxy, server_header=False
    )
    with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
        Server(config).run(sockets=[listener])
