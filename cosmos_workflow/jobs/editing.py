"""Another text for one piece, written where the piece comes from: into the job's file, or into the text file that it names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cosmos_workflow.errors import InputError
from cosmos_workflow.files import inside
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig
from cosmos_workflow.jobs.document.texts import MAX_TEXT_BYTES
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.yaml_places import JobFileError, Location, read_text_file, read_yaml


def edit_piece(jobs: JobStore, job: JobFile, task: TaskConfig, piece: int, text: str) -> bool:
    """Write another text for a piece (counted from 0) of a task; whether anything changed.

    Raises InputError where the piece isn't found, JobFileError where the job would be wrong; nothing was changed then.
    """
    chunks = [chunk.text for chunk in task.chunks]
    if not 0 <= piece < len(chunks):
        raise InputError("This piece isn't there any more; open its task again.")
    new = " ".join(text.split())
    if not new:
        raise InputError("A piece needs a text; to leave it out, take it out of the job's text.")
    if new == chunks[piece]:
        return False
    value, place = read_yaml(job.source).value, ("tasks", task.number - 1)
    levels: list[tuple[Location, object]] = [(place, value["tasks"][task.number - 1])] if value.get("tasks") else []
    for location, level in (*levels, ((), value)):
        if not isinstance(level, dict):
            continue
        if isinstance(level.get("text"), str):
            changed = set_values(job.source, {(*location, "text"): replaced(level["text"], chunks, piece, new)})
            jobs.save(job.id, changed)
            return True
        if isinstance(level.get("text_file"), str):
            _write_file(jobs, job, level["text_file"], chunks, piece, new)
            return True
    raise InputError("This task has no text of its own to change.")


def replaced(text: str, chunks: Sequence[str], place: int, new: str) -> str:
    """The text with another one in the place of one of its pieces, which follow one another there; white space may differ.

    Raises InputError where the piece isn't in the text as it is.
    """
    at = 0
    for number, chunk in enumerate(chunks[: place + 1]):
        found = re.compile(r"\s+".join(map(re.escape, chunk.split()))).search(text, at)
        if number == place:
            if found is None:
                break
            return text[: found.start()] + new + text[found.end() :]
        at = found.end() if found else at  # one that was put together of several is nowhere
    raise InputError("This piece isn't in the text as it is said; change the job's text instead.")


def _write_file(jobs: JobStore, job: JobFile, name: str, chunks: Sequence[str], piece: int, new: str) -> None:
    path = inside(jobs.folder, name, "the job's folder")
    before = path.read_bytes()
    text = read_text_file(path, MAX_TEXT_BYTES, "text file", jobs.shown)
    jobs.disk.write(path, replaced(text, chunks, piece, new).encode())
    try:
        jobs.check(job.source, job.id)
    except JobFileError:
        jobs.disk.write(path, before)
        raise
