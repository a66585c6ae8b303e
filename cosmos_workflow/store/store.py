"""The store as one object."""

from cosmos_workflow.config import Workspace
from cosmos_workflow.store.prompts import PromptLibrary
from cosmos_workflow.store.records import Finding
from cosmos_workflow.store.repair import Repair, rescue_database


class Store(PromptLibrary, Repair):
    """Prompts, input files, runs with their folders, and the queues' journal, in one database and one workspace.

    `Store(workspace, url=None, disk=None)`: `url` is any SQLAlchemy URL, by default the workspace's SQLite file. Safe under
    many threads, and under many processes with a store each. What can't be written raises UnavailableError of one sentence,
    and changed nothing.
    """


def repair_workspace(workspace: Workspace, apply: bool = False) -> list[Finding]:
    """What doesn't agree in a workspace, its database included; with `apply` it is put right or put aside.

    Raises UnavailableError where the database is damaged and another process has it open.
    """
    found = rescue_database(workspace, apply)
    if found and not apply:
        return found  # what the folders hold is seen once the database is readable
    with Store(workspace) as store:
        return found + store.repair(apply)
