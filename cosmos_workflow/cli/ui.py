"""The verb `ui`: opens the page."""

from __future__ import annotations

from typing import Annotated

import typer

from cosmos_workflow.cli.options import (
    AddressOption,
    ExecutorOption,
    GpusOption,
    PortOption,
    WorkersOption,
    WorkspaceOption,
    open_workspace,
    pool_options,
)


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs --auth.")] = "127.0.0.1",
    port: PortOption = 7860,
    workspace: WorkspaceOption = None,
    auth: Annotated[
        str | None,
        typer.Option(help="A file with a line user:password for each user, or one such; or set $COSMOS_WORKFLOW_AUTH."),
    ] = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    name: Annotated[
        list[str] | None, typer.Option(help="A name under which a proxy on this machine serves the page; needs --auth.")
    ] = None,
    api: Annotated[bool, typer.Option("--api", help="Also serve speech as OpenAI's API does, below /v1.")] = False,
) -> None:
    """Open the page in a browser of your own: prompts, queue, jobs, results."""
    from cosmos_workflow.ui.access.users import take_auth

    auth = take_auth(auth)
    opened = open_workspace(workspace)
    with pool_options(executor, address, gpus, workers) as where:
        from cosmos_workflow.ui.server import serve

        serve(opened, host=host, port=port, auth=auth, names=name or (), speech_api=api, **where)
