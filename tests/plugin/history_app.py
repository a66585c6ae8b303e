"""An app that a history of commands drives, a JSON line in and one out, with faults that its driver switches on."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.files import Disk
from cosmos_workflow.queueing.items import ItemStatus, Prompt
from cosmos_workflow.store.store import Store

FULL = "disk-is-full"
"""While a file of this name lies in the workspace, nothing can be written."""


class FaultyDisk(Disk):
    """Full for as long as somebody says so; what is there can be taken away all the same."""

    def __init__(self, root: Path) -> None:
        self._full = root / FULL

    def touching(self, path: Path) -> None:
        if self._full.exists():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def remove_folder(self, path: Path) -> None:
        Disk().remove_folder(path)


class App:
    """One queue, whose token the driver keeps."""

    def __init__(self, root: Path, token: str) -> None:
        workspace = replace(Workspace.open(root), settings=Settings(startup="resume"))
        self.operations = Operations(workspace, store=Store(workspace, disk=FaultyDisk(root)), cancel_grace=1.0)
        self.sessions = Sessions(self.operations)
        self.sessions.restore()
        self.session = self.sessions.open(token)

    def token(self) -> str:
        return self.session.token

    def add(self, texts: list[str], group: int) -> list[str]:
        added = self.session.queue.add_to_queue([Prompt(text) for text in texts], "probe", {"group": group})
        return [item.id for item in added]

    def start(self) -> None:
        self.session.runner.start()

    def pause(self) -> None:
        self.session.runner.pause()

    def cancel(self) -> list[str]:
        return self.session.runner.cancel()

    def edit(self, text: str) -> str:
        queued = self.session.queue.snapshot().queued
        return self.session.queue.edit(queued[-1].id, text=text).id if queued else ""

    def remove(self, item_id: str) -> list[str]:
        return [item.id for item in self.session.queue.remove_from_queue([item_id]) if item.status is ItemStatus.QUEUED]

    def join(self) -> dict[str, Any]:
        self.session.runner.join()
        snapshot = self.session.runner.snapshot()
        return {"state": str(snapshot.state), "reason": snapshot.reason, "left": len(snapshot.queue.items)}

    def active(self) -> bool:
        return self.session.runner.snapshot().active


def main(root: Path, token: str) -> None:
    """Answer line after line until the input ends."""
    app = App(root, token)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        command: Callable[..., Any] = getattr(app, name)
        try:
            answer = {"answer": command(*arguments)}
        except WorkflowError as error:
            answer = {"refused": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    app.sessions.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
