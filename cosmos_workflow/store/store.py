"""The store as one object: its parts over one database, one disk and one identity."""

from __future__ import annotations

from typing import Self

from cosmos_workflow.config import Workspace
from cosmos_workflow.files import Digests, Disk
from cosmos_workflow.store.database import Database
from cosmos_workflow.store.inputs import Inputs
from cosmos_workflow.store.presets import Presets
from cosmos_workflow.store.process import ProcessLock
from cosmos_workflow.store.prompts import Prompts
from cosmos_workflow.store.pronunciations import Pronunciations
from cosmos_workflow.store.queues import Queues
from cosmos_workflow.store.records import Finding
from cosmos_workflow.store.recovery import Recovery
from cosmos_workflow.store.repair import Repair, rescue_database
from cosmos_workflow.store.run_files import RunFiles
from cosmos_workflow.store.runs import Runs
from cosmos_workflow.store.waveforms import Waveforms


class Store:
    """What a workspace keeps: `prompts`, their `inputs`, the `queues`, the `runs` with their folders and `waveforms`, the
    `pronunciations` and the `presets`; `recovery`, `repair`.

    `Store(workspace, url=None, disk=None)`: `url` is any SQLAlchemy URL, by default the workspace's SQLite file. Safe under
    many threads, and under many processes with a store each. What can't be written raises UnavailableError of one sentence,
    and changed nothing.
    """

    def __init__(self, workspace: Workspace, url: str | None = None, disk: Disk | None = None) -> None:
        self.workspace = workspace
        self.digests = Digests()
        self.disk = disk = disk or Disk()
        self.database = Database(workspace, url or "")
        self.process = ProcessLock(workspace)
        self.inputs = Inputs(workspace, self.database, disk, self.digests)
        self.prompts = Prompts(self.database, self.inputs)
        self.pronunciations = Pronunciations(workspace, disk)
        self.presets = Presets(workspace, disk)
        self.queues = Queues(self.database, self.process)
        self.run_files = RunFiles(workspace, disk, self.digests)
        self.runs = Runs(workspace, self.database, disk, self.process, self.queues, self.run_files)
        self.waveforms = Waveforms(self.runs, disk)
        self.recovery = Recovery(workspace, self.database, disk, self.process, self.queues, self.runs)
        self.repair = Repair(workspace, disk, self.runs)
        self.recovery.forget_unused()

    def close(self) -> None:
        """Close the database; what this store left running counts as interrupted from now on."""
        self.database.close()
        self.process.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def repair_workspace(workspace: Workspace, apply: bool = False) -> list[Finding]:
    """What doesn't agree in a workspace, its database included; with `apply` it is put right or put aside.

    Raises UnavailableError where the database is damaged and another process has it open.
    """
    found = rescue_database(workspace, apply)
    if found and not apply:
        return found  # what the folders hold is seen once the database is readable
    with Store(workspace) as store:
        return found + store.repair.run(apply)
