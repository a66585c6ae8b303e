"""An app that a soak test starts, kills and starts again: works one queue off, resuming what it left."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.queueing import Prompt


def main(root: Path, items: int) -> None:
    """Add `items` if the workspace has no queue yet, run until nothing is left, and say "done"."""
    workspace = replace(Workspace.open(root), settings=Settings(startup="resume"))
    with Operations(workspace) as operations:
        sessions = Sessions(operations)
        restored = sessions.restore()
        if not restored and not operations.store.runs.count(interrupted=True):
            session = sessions.open()
            prompts = [Prompt(f"work {5 + number % 30}") for number in range(items)]
            for group in range(3):
                session.queue.add_to_queue(prompts[group::3], "probe", {"group": group})
            restored = [session]
        for session in restored:
            session.runner.start()
            session.runner.join()
            sys.stdout.write(f"{session.runner.snapshot().state} {session.runner.snapshot().reason}\n")
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
