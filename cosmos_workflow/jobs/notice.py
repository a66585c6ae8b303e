"""What is told of a job that has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cosmos_workflow.jobs.document.tasks import JobFile

if TYPE_CHECKING:
    from cosmos_workflow.jobs.events import TaskResult


def job_notice(job: JobFile, owner: str, results: Sequence[TaskResult], seconds: float) -> dict[str, Any] | None:
    """What came of a run of a job, for whoever is to be told; None where it made nothing."""
    if not any(result.made or not result.succeeded for result in results):
        return None
    return {
        "event": "job.ended",
        "job": job.name,
        "owner": owner,
        "counts": Counter(str(result.status).lower() for result in results),
        "seconds": seconds,
        "failures": [{"task": result.task_id, "error": result.error} for result in results if not result.succeeded],
        "files": [str(path) for result in results for path in result.files.values()],
    }
