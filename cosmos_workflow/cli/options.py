"""What the verbs share: options, exit codes, and where batches run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cosmos_workflow.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from cosmos_workflow.config import Workspace


class ExitCode(IntEnum):
    """What a script can rely on."""

    SUCCEEDED = 0
    FAILED = 1
    WRONG_INPUT = 2
    INTERRUPTED = 130


Executor = Literal["local", "ray"]
"""Where batches run: in worker processes of this machine, or on a Ray cluster."""

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", help="Folder for everything; by default $COSMOS_WORKFLOW_HOME, or your data folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Set a key of the jobs, e.g. params.rate=150; may be given more than once.")
]
GpusOption = Annotated[str | None, typer.Option("--gpus", help="GPUs to use, e.g. 0,1; by default all of them.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", help="Worker processes on a machine without a GPU.", min=1)]
ExecutorOption = Annotated[Executor, typer.Option(help="local: worker processes of this machine; ray: a Ray cluster.")]
AddressOption = Annotated[
    str | None,
    typer.Option(help="The Ray cluster, host:port or auto; by default $RAY_ADDRESS, else Ray is started on this machine."),
]
PortOption = Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)]


def open_workspace(workspace: Path | None, *, reads: bool = False) -> Workspace:
    """The workspace of a verb; imported here, since `--help` needs none. One that only `reads` takes what can't be written, too.

    Raises InputError where it can't be used: nothing was started.
    """
    from cosmos_workflow.config import Workspace

    try:
        return Workspace.open(workspace, reads=reads)
    except UnavailableError as error:
        raise InputError(str(error), key="--workspace") from error


@contextmanager
def pool_options(executor: Executor, address: str | None, gpus: str | None, workers: int | None) -> Iterator[dict[str, Any]]:
    """The devices, and what makes the pool that has them; a cluster is ours as long as this is open."""
    if executor == "local":
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
