"""The command line put together: the verbs, and how an error ends them. A verb imports what is heavy when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cosmos_workflow import __version__
from cosmos_workflow.cli.bench import bench_app
from cosmos_workflow.cli.book import book
from cosmos_workflow.cli.check import check
from cosmos_workflow.cli.check_audio import check_audio
from cosmos_workflow.cli.engines import engines
from cosmos_workflow.cli.jobs import jobs
from cosmos_workflow.cli.options import (
    AddressOption,
    AuthOption,
    Executor,
    ExecutorOption,
    ExitCode,
    GpusOption,
    HostOption,
    NameOption,
    PortOption,
    WorkersOption,
    WorkspaceOption,
)
from cosmos_workflow.cli.repair import repair
from cosmos_workflow.cli.run import run
from cosmos_workflow.cli.runs import runs
from cosmos_workflow.cli.ui import ui
from cosmos_workflow.cli.weights import weights_app
from cosmos_workflow.errors import InputError, WorkflowError

app = typer.Typer(
    name="cosmos-workflow",
    help="Queue generative work on your own machine. Without a verb, opens the page.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (ui, run, book, check, jobs, engines, runs, repair):
    app.command()(verb)
app.command("check-audio")(check_audio)
app.add_typer(weights_app, name="weights")
app.add_typer(bench_app, name="bench")


def main() -> None:
    """Entry point: an error is one sentence on stderr and an exit code, never a traceback."""
    try:
        # typer turns `raise Exit` and an interrupt into the value it returns.
        code = app(standalone_mode=False)
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("Interrupted; what was finished is kept, and the next run goes on from there.\n")
        sys.exit(ExitCode.INTERRUPTED)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(ExitCode.WRONG_INPUT)
    except WorkflowError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(ExitCode.FAILED)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        sys.stderr.write(f"{error.format_message()}\n")  # pyright: ignore[reportAttributeAccessIssue]
        sys.exit(ExitCode.WRONG_INPUT)


@app.callback(invoke_without_command=True)
def _default(
    context: typer.Context,
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    workspace: WorkspaceOption = None,
    auth: AuthOption = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = Executor.LOCAL,
    address: AddressOption = None,
    name: NameOption = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        ui(host, port, workspace, auth, gpus, workers, executor, address, name)
