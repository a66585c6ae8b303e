"""Joining a Ray cluster, or starting one on this machine, and leaving it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

KNOCK_SECONDS = 5.0
ANSWER_SECONDS = 5.0
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What an HTTP/2 client says first, with its settings (RFC 9113, 3.4); a cluster's server, being gRPC's, answers with its own."""

_joined = 0
_started = False
_lock = threading.Lock()


class ClusterError(RuntimeError):
    """There is no cluster to work on; the message is one sentence that says what to do."""


def require_ray() -> None:
    """Raises ClusterError where Ray isn't installed."""
    if find_spec("ray") is None:
        raise ClusterError("Ray isn't installed; install it with: pip install 'cosmos-workflow[ray]'")


@contextmanager
def joined(address: str | None, cpu_workers: int = 0) -> Iterator[None]:
    """Be a driver of the cluster at `address` (by default $RAY_ADDRESS); without either, start Ray on this machine.

    What is started here listens on loopback alone, has no dashboard, has room for `cpu_workers`, and ends with the last who
    joined. A program that has called ``ray.init`` itself stays with its cluster.
    """
    global _joined, _started  # noqa: PLW0603 - Ray itself is one a process
    require_ray()
    address = address or os.environ.get("RAY_ADDRESS")
    with _lock:
        prepare(local=not address)
        import ray

        if not ray.is_initialized():
            _init(address, cpu_workers)
            _started = True
        _joined += 1
    try:
        yield
    finally:
        with _lock:
            _joined -= 1
            if _joined == 0 and _started:
                _started = False
                ray.shutdown()


def prepare(local: bool) -> None:
    """Have Ray imported, quiet and without telling anybody of its use; if `local`, what it starts stays on loopback."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # The present behaviour of CUDA_VISIBLE_DEVICES without a GPU, and no warning that it will change: we set it ourselves.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if local:
        # Whatever its name says: with 0 Ray's servers listen on loopback alone. Read when ray is first imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    # What concerns a user is said by our events; its lines would tear the view in the terminal.
    logging.getLogger(ray.__name__).setLevel(logging.CRITICAL)
    # Under `uv run` Ray would send the current folder to every machine and have uv build an environment there for each worker,
    # unless the variable asks for that. Every machine has its own, as `RayPool` says.
    by_uv = os.environ.get("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0") != "0"
    vars(import_module("ray._private.ray_constants"))["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = by_uv
    # It tells of a lost machine on our stdout, which may be JSON that a program reads; there is no setting for that.
    worker = import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        vars(worker)["print_to_stdstream"] = lambda *_args, **_options: None


def promised(resource: str) -> float:
    """How much of it the cluster can grow to by its own account; 0 if it has given none."""
    find = getattr(import_module("ray._private.state").state, "get_max_resources_from_cluster_config", None)
    return float(((find() if find is not None else None) or {}).get(resource, 0))


def _init(address: str | None, cpu_workers: int) -> None:
    import ray

    quiet = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}
    if not address:
        cpus = max(os.cpu_count() or 1, cpu_workers)
        ray.init(address="local", include_dashboard=False, num_cpus=cpus, **quiet)
        return
    _check(address)
    try:
        knock(address)
        _require_node_here()
        ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        ray.shutdown()
        reason = (isinstance(error, OSError) and error.strerror) or str(error).strip().splitlines()[0]
        raise ClusterError(
            f"No Ray cluster can be used at {address} ({reason.split('. ')[0]}): start Ray on this machine with `ray start`, "
            "or leave the address out to use this machine alone."
        ) from error


def _check(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto" and not (host and port.isdecimal() and "/" not in address):
        raise ClusterError(f"{address!r} isn't a Ray cluster's address; write host:port, or auto.")


def knock(address: str) -> None:
    """Raises OSError where nobody listens, or who answers isn't a cluster, for which Ray itself would wait minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS) as connection:
        if os.environ.get("RAY_USE_TLS", "0") != "0":
            return
        connection.settimeout(ANSWER_SECONDS)
        connection.sendall(_HELLO)
        try:
            answer = connection.recv(9, socket.MSG_WAITALL)
        except TimeoutError:
            raise TimeoutError("what listens there does not answer") from None
        if len(answer) < 9 or answer[3] != 4:
            raise ConnectionError("what listens there is no Ray cluster")


def _require_node_here() -> None:
    """Raises RuntimeError where no machine of a cluster is this one; Ray itself would look for it for a minute."""
    find = getattr(import_module("ray._private.services"), "find_node_ids", None)
    deadline = time.monotonic() + ANSWER_SECONDS
    while find is not None and not find():
        if time.monotonic() > deadline:
            raise RuntimeError("this machine is none of the cluster's")
        time.sleep(0.25)
