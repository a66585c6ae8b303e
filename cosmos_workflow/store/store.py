"""The store as one object."""

from cosmos_workflow.store.prompts import PromptLibrary
from cosmos_workflow.store.recovery import Recovery


class Store(PromptLibrary, Recovery):
    """Prompts, input files, runs with their folders, and the queues' journal, in one database and one workspace.

    `Store(workspace, url=None, disk=None)`: `url` is any SQLAlchemy URL, by default the workspace's SQLite file. Safe under
    many threads, and under many processes with a store each. What can't be written raises UnavailableError of one sentence,
    and changed nothing.
    """
