"""How much a user's files may take together, and which of them nothing uses any more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Text, cast, delete, func, select

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.files import Disk, folder_name
from cosmos_workflow.store.database import Database
from cosmos_workflow.store.schema import input_files, prompts, queue_items, queues, runs

KEPT_SECONDS = 86_400
"""A file that nothing uses yet may be on a page that somebody is still writing."""


class Quota:
    """The setting `max_user_mb` over an owner's input files, and over what they have just uploaded.

    A file is in use while a prompt, an item of a queue, a result or a job file of the workspace names it; such a file is never
    taken away.
    """

    def __init__(self, workspace: Workspace, database: Database, disk: Disk) -> None:
        self._workspace = workspace
        self._database = database
        self._disk = disk

    @property
    def limit(self) -> int:
        """Bytes that a user may take."""
        return self._workspace.settings.max_user_mb * 1_000_000

    def room(self, owner: str, needed: int = 1, replaced: str = "") -> int:
        """Bytes that the owner may still add, the file `replaced` not counted.

        Where that is less than what is needed, the owner's files that nothing uses, and that came more than a day ago, go first.
        """
        room = self.limit - self._used(owner, replaced)
        if room < needed and self._remove_unused(owner):
            room = self.limit - self._used(owner, replaced)
        return max(0, room)

    def refusal(self, owner: str, name: str) -> InputError:
        """What is said where a file of this name doesn't fit."""
        files = sorted(self._files(owner), key=lambda known: known["size"], reverse=True)
        large = ", ".join(f"{shorten(known['name'])} with {_megabytes(known['size'])}" for known in files[:3])
        remedy = "and what you have uploaded takes it; what isn't used goes after an hour."
        if large:
            remedy = f"so delete prompts and results that use the largest of them ({large}); what nothing uses goes after a day."
        return InputError(f"{shorten(name)} doesn't fit: your files may take {_megabytes(self.limit)} together, {remedy}")

    def _used(self, owner: str, replaced: str) -> int:
        own = (input_files.c.owner == owner) & (input_files.c.file != replaced)
        return int(self._database.value(select(func.sum(input_files.c.size)).where(own)) or 0)

    def _files(self, owner: str) -> Sequence[RowMapping]:
        return self._database.rows(select(input_files).where(input_files.c.owner == owner))

    def _remove_unused(self, owner: str) -> bool:
        old = [known["file"] for known in self._files(owner) if known["added_at"] < time.time() - KEPT_SECONDS]
        jobs = (path.read_text(encoding="utf-8", errors="replace") for path in self._workspace.jobs.rglob("*.y*ml"))
        in_jobs = {file for text in jobs for file in old if file in text}
        removed = False
        # Nobody can write that a file is in use between the look and its end.
        with self._database.write() as connection:
            for file in old:
                if file in in_jobs or _is_named(connection, owner, file):
                    continue
                connection.execute(delete(input_files).where(input_files.c.owner == owner, input_files.c.file == file))
                self._disk.remove_file(self._workspace.inputs / folder_name(owner) / file)
                removed = True
        return removed


def _is_named(connection: Connection, owner: str, file: str) -> bool:
    """Whether a prompt, a queue or a result of this owner names the file, which is known by the digest of its content."""
    places = (
        select(prompts.c.id).where(prompts.c.owner == owner, _holds(prompts.c.inputs, file)),
        select(runs.c.id).where(runs.c.owner == owner, _holds(runs.c.inputs, file)),
        select(queue_items.c.id).join(queues).where(queues.c.owner == owner, _holds(queue_items.c.item, file)),
    )
    return any(connection.execute(place.limit(1)).first() for place in places)


def _holds(column: Column[Any], file: str) -> ColumnElement[bool]:
    return cast(column, Text).contains(file, autoescape=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 100_000_000 else f"{size / 1e6:,.0f} MB"
