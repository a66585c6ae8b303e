"""What the parts of the Jobs tab share: an open page's state, the manager of its owner, and which jobs are meant."""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.snapshots import JobsSnapshot
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.page import Page, owner_of
from cosmos_workflow.ui.page_view import PageView

TABLE = "jobs-table"


@dataclass(slots=True)
class JobsTabState:
    """What one open page looks at in this tab.

    `is_open` tells whether the tab is, `bases` has the texts of the files as they were sent to the page, by job, and
    `switched` counts the clicks on the switch of run mode. `listening` is whether only pieces to listen to are shown.
    """

    is_open: bool = False
    job_id: str = ""
    task_id: str = ""
    listening: bool = False
    bases: dict[str, str] = field(default_factory=dict)
    switched: int = 0


class JobsPart:
    """A part of the tab, on a page, over the jobs of each owner."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self.page = page
        self.managers = managers

    def manager(self, request: gr.Request) -> JobManager:
        """The jobs of whoever clicked."""
        return self.managers.of(owner_of(request))

    def snapshot(self, now: PageView) -> JobsSnapshot:
        """Where the jobs of a page's owner are."""
        return self.managers.of(now.owner).snapshot()


def selected_jobs(manager: JobManager, ids: list[str] | None, opened: str, *, whole: bool = False) -> list[str]:
    """The jobs of the selected rows in their order, or the open one where none is selected; raises InputError for neither.

    With `whole` a selected task doesn't select its job.
    """
    rows = [row_id.partition("/") for row_id in ids or ()]
    wanted = {job_id for job_id, task, _ in rows if not (whole and task)} or ({opened} if opened else set())
    found = [job_id for job_id in manager.jobs.ids() if job_id in wanted]
    if not found:
        raise InputError("No job is selected; tick one in the table, or open it.")
    return found
