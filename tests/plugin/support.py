"""What tests of several folders use."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

DEADLINE = 120.0
"""Seconds for what takes one or two; on a busy machine many more."""


def digest(content: Path | bytes) -> str:
    """What large files are compared by: pytest takes hours to show where two of them differ."""
    return hashlib.sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait for something another process does; fails with `what` when it doesn't happen in time."""
    deadline = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}")
        pause.wait(0.02)
