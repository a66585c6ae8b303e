"""The command line: parses, then calls. Whatever costs time to import is imported in the verb that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from enum import IntEnum, StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmos_workflow import __version__
from cosmos_workflow.cli.bench import bench_app
from cosmos_workflow.cli.terminal import show
from cosmos_workflow.errors import InputError, WorkflowError

if TYPE_CHECKING:
    from cosmos_workflow.config import Workspace


class ExitCode(IntEnum):
    """What a script can rely on."""

    SUCCEEDED = 0
    FAILED = 1
    WRONG_INPUT = 2
    INTERRUPTED = 130


class Mode(StrEnum):
    """Which tasks of a job are made: resume (what has no result yet), failed (only what failed), all (again)."""

    RESUME = "resume"
    FAILED = "failed"
    ALL = "all"


class Executor(StrEnum):
    """Where batches run: in worker processes of this machine, or on a Ray cluster."""

    LOCAL = "local"
    RAY = "ray"


app = typer.Typer(
    name="cosmos-workflow",
    help="Queue generative work on your own machine. Without a verb, opens the page.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
weights_app = typer.Typer(help="The weights of models: where they are, and how to get them.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
app.add_typer(bench_app, name="bench")

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", help="Folder for everything; by default $COSMOS_WORKFLOW_HOME, or your data folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
GpusOption = Annotated[str | None, typer.Option("--gpus", help="GPUs to use, e.g. 0,1; by default all of them.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", help="Worker processes on a machine without a GPU.", min=1)]
ExecutorOption = Annotated[Executor, typer.Option(help="local: worker processes of this machine; ray: a Ray cluster.")]
AddressOption = Annotated[
    str | None,
    typer.Option(help="The Ray cluster, host:port or auto; by default $RAY_ADDRESS, else Ray is started on this machine."),
]
HostOption = Annotated[str, typer.Option(help="Address to listen on; any but loopback needs --auth.")]
PortOption = Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)]
AuthOption = Annotated[str | None, typer.Option(help="user:password, or a file with one such line a user.")]


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
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        ui(host, port, workspace, auth, gpus, workers, executor, address)


@app.command()
def ui(
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    workspace: WorkspaceOption = None,
    auth: AuthOption = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = Executor.LOCAL,
    address: AddressOption = None,
) -> None:
    """Open the page in a browser of your own: prompts, queue, jobs, results."""
    opened = _open(workspace)
    with _where(executor, address, gpus, workers) as where:
        from cosmos_workflow.ui.server import serve

        serve(opened, host=host, port=port, auth=auth, **where)


@app.command()
def run(
    files: Annotated[list[Path], typer.Argument(help="Job files.")],
    workspace: WorkspaceOption = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = Executor.LOCAL,
    address: AddressOption = None,
    mode: Annotated[Mode, typer.Option(help="resume: what has no result yet; failed: what failed; all: everything again.")] = (
        Mode.RESUME
    ),
    as_json: JsonOption = False,
) -> None:
    """Make the tasks of job files. Exit code 0: all succeeded; 1: something failed; 2: the input is wrong."""
    with _where(executor, address, gpus, workers) as where:
        from cosmos_workflow.cli.run_jobs import run_jobs

        succeeded = run_jobs(files, _open(workspace), mode=mode.value, as_json=as_json, **where)
    raise typer.Exit(ExitCode.SUCCEEDED if succeeded else ExitCode.FAILED)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Job files.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate job files and print their tasks, the batches, why these are apart, and the time. Starts nothing."""
    from cosmos_workflow.cli.run_jobs import check_jobs

    check_jobs(files, _open(workspace), as_json=as_json)


@app.command()
def jobs(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the jobs of the workspace with their status."""
    from cosmos_workflow.cli.run_jobs import list_jobs

    rows = list_jobs(_open(workspace))
    show(rows, as_json, "Jobs", "There is no job yet; put a YAML file into the workspace's jobs folder.")


@app.command()
def engines(as_json: JsonOption = False) -> None:
    """List the engines, whether they can run here, and if not, what to do."""
    from cosmos_workflow.engines.spec import all_engines

    rows = []
    for spec in all_engines():
        state = spec.availability()
        rows.append(
            {
                "name": spec.name,
                "medium": spec.medium,
                "available": state.available,
                "batch": spec.max_batch_size,
                "what": spec.summary if state.available else str(state),
            }
        )
    show(rows, as_json, "Engines", "No engine is installed.")


@app.command()
def runs(
    workspace: WorkspaceOption = None,
    engine: Annotated[str | None, typer.Option(help="Only runs of this engine.")] = None,
    status: Annotated[str | None, typer.Option(help="Only runs with this status.")] = None,
    text: Annotated[str, typer.Option(help="Only runs whose prompt holds these words.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many, newest first.", min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was made, newest first."""
    from cosmos_workflow.queueing import ItemStatus
    from cosmos_workflow.store import Store

    if status is not None and status not in list(ItemStatus):
        raise InputError(f"--status: {status!r} isn't a status; use {', '.join(ItemStatus)}.")
    opened = _open(workspace)
    store = Store(opened)
    chosen = ItemStatus(status) if status else None
    rows = [
        {
            "id": record.id,
            "engine": record.engine,
            "status": str(record.status),
            "prompt": record.prompt_text,
            "seconds": round(record.seconds, 2) if record.seconds is not None else None,
            "batch": record.batch_size,
            "files": [str(store.output_path(record, key)) for key in record.outputs],
            "error": record.error,
        }
        for record in store.list_runs(None, engine=engine, status=chosen, text=text, limit=limit)
    ]
    store.close()
    show(rows, as_json, "Runs", "Nothing was made yet.")


@app.command()
def repair(
    workspace: WorkspaceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find records and files that don't agree, and put them right or aside. Deletes nothing."""
    from cosmos_workflow.engines.spec import all_engines
    from cosmos_workflow.store import Finding
    from cosmos_workflow.store.store import repair_workspace

    found = repair_workspace(_open(workspace), apply=not dry_run)
    for spec in all_engines():
        found += [Finding(*told, "put aside", not dry_run) for told in spec.repair(not dry_run)]
    show([asdict(finding) for finding in found], as_json, "Repair", "Everything agrees; nothing had to be repaired.")


@weights_app.command("show")
def weights_show(as_json: JsonOption = False) -> None:
    """List the models that need weights, where these are, and how to get them."""
    from cosmos_workflow.engines.model_files.sets import model_files_state, remedy
    from cosmos_workflow.engines.spec import all_model_files

    rows = []
    for weights in all_model_files().values():
        state = model_files_state(weights)
        size = f"{state.size_bytes / 1e9:.1f} GB" if state.folder else ""
        place = str(state.folder) if state.folder else remedy(weights)
        rows.append(
            {"name": weights.name, "title": weights.title, "here": state.folder is not None, "size": size, "where": place}
        )
    show(rows, as_json, "Weights", "No installed engine needs weights.")


@weights_app.command("fetch")
def weights_fetch(name: Annotated[str, typer.Argument(help="A name from `weights show`.")]) -> None:
    """Fetch a model's weights into the hub's cache; goes on where it stopped."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from cosmos_workflow.engines.model_files.fetching import FetchProgress, fetch_model_files, plan_fetch
    from cosmos_workflow.engines.spec import all_model_files

    known = all_model_files()
    if name not in known:
        raise InputError(f"There are no weights called {name!r}; use {', '.join(known) or 'none'}.")
    plan = plan_fetch(known[name])
    typer.echo(
        f"{known[name].title}: {plan.missing_bytes / 1e9:.1f} of {plan.total_bytes / 1e9:.1f} GB to fetch into {plan.place}"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns) as shown:
        bar = shown.add_task(name, total=plan.total_bytes)

        def report(progress: FetchProgress) -> None:
            shown.update(bar, completed=progress.done_bytes, description=progress.file)

        folder = fetch_model_files(known[name], report)
    typer.echo(f"{known[name].title} is in {folder}")


def _open(workspace: Path | None) -> Workspace:
    from cosmos_workflow.config import Workspace

    return Workspace.open(workspace)


@contextmanager
def _where(executor: Executor, address: str | None, gpus: str | None, workers: int | None) -> Iterator[dict[str, Any]]:
    """The devices, and what makes the pool that has them; a cluster is ours as long as this is open."""
    if executor is Executor.LOCAL:
        if address is not None:
            raise InputError("--address is a Ray cluster's; give --executor ray with it.")
        yield {"gpu_ids": _devices(gpus, workers)}
        return
    if gpus is not None:
        raise InputError("--gpus names GPUs of this machine; a Ray cluster's are all used, or give --workers for CPU workers.")
    from cosmos_workflow.gpu_dispatch.ray import ClusterError, RayPool, joined

    with ExitStack() as stack:
        try:
            stack.enter_context(joined(address, workers or 0))
        except ClusterError as error:
            raise InputError(str(error)) from error
        gpu_ids = None if workers is None else [None] * workers
        yield {"gpu_ids": gpu_ids, "pool": partial(RayPool, address=address)}


def _devices(gpus: str | None, workers: int | None) -> Sequence[int | None]:
    from cosmos_workflow.gpu_dispatch.devices import default_gpu_ids

    if gpus is None:
        return default_gpu_ids(workers)
    if workers is not None:
        raise InputError("--gpus and --workers exclude each other; give one of them.")
    try:
        ids = [int(part) for part in gpus.split(",")]
    except ValueError:
        raise InputError(f"--gpus: {gpus!r} isn't a list of GPU numbers; write 0 or 0,1.") from None
    known = default_gpu_ids()
    missing = [str(number) for number in ids if number not in known]
    if missing or len(set(ids)) != len(ids):
        there = ", ".join(str(number) for number in known if number is not None) or "none"
        raise InputError(f"--gpus: {gpus!r} isn't right; each number once, of those that are here: {there}.")
    return ids
