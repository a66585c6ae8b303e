"""The queues' journal: every change of a queue, written before anybody sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing import QueueItem
from cosmos_workflow.store.base import StorePart
from cosmos_workflow.store.records import LOCAL, item_of, item_row
from cosmos_workflow.store.schema import queue_items, queues


class QueueJournal(StorePart):
    """Implements `cosmos_workflow.queueing.Journal`."""

    def register_queue(self, token: str, owner: str = LOCAL) -> None:
        """Say whose queue a token is; raises InputError where it is somebody else's."""
        with self._db.write() as connection:
            known = connection.execute(select(queues.c.owner).where(queues.c.token == token)).scalar()
            if known is None:
                connection.execute(insert(queues).values(token=token, owner=owner, state={}))
            elif known != owner:
                raise InputError("This queue belongs to somebody else; start one of your own.")

    def save(self, token: str, changed: Sequence[QueueItem], removed: Sequence[str]) -> None:
        """Write items that are new or changed, and take away those that left; all or nothing, and durable.

        A token that nobody registered becomes the local user's.
        """
        with self._db.write() as connection:
            save_items(connection, token, self.process, changed, removed)

    def load_queue(self, token: str) -> list[QueueItem]:
        """What the queue holds, in its order; empty for an unknown token."""
        query = select(queue_items.c.item).where(queue_items.c.token == token).order_by(queue_items.c.position)
        with self._db.read() as connection:
            return [item_of(values) for values in connection.execute(query).scalars()]

    def queue_owner(self, token: str) -> str | None:
        """Whose queue it is; None for an unknown token."""
        with self._db.read() as connection:
            return connection.execute(select(queues.c.owner).where(queues.c.token == token)).scalar()

    def open_queues(self, owner: str | None = None) -> list[tuple[str, str]]:
        """Token and owner of each queue that still holds items, of one owner or of all.

        A queue that another living process works on (a command beside the page) isn't among them.
        """
        query = select(queues.c.token, queues.c.owner, queue_items.c.process).join(queue_items).distinct()
        if owner is not None:
            query = query.where(queues.c.owner == owner)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(queues.c.token)).all()
        others = {process for _, _, process in rows if process != self.process and self.is_alive(process)}
        busy = {token for token, _, process in rows if process in others}
        return list(dict.fromkeys((token, whose) for token, whose, _ in rows if token not in busy))

    def queue_state(self, token: str) -> dict[str, Any]:
        """What `set_queue_state` kept; empty at first, and for an unknown token."""
        with self._db.read() as connection:
            return dict(connection.execute(select(queues.c.state).where(queues.c.token == token)).scalar() or {})

    def set_queue_state(self, token: str, state: Mapping[str, Any]) -> None:
        """Keep a few plain JSON values beside a queue: whether it is paused, and why."""
        with self._db.write() as connection:
            _know_queue(connection, token)
            connection.execute(update(queues).where(queues.c.token == token).values(state=dict(state)))


def save_items(
    connection: Connection, token: str, process: str, changed: Sequence[QueueItem], removed: Sequence[str] = ()
) -> None:
    """What `QueueJournal.save` does, in the caller's transaction."""
    _know_queue(connection, token)
    gone = [{"key": item_id} for item_id in {*removed, *(item.id for item in changed)}]
    if gone:
        same = (queue_items.c.token == token) & (queue_items.c.id == bindparam("key"))
        connection.execute(delete(queue_items).where(same), gone)
    if changed:
        connection.execute(insert(queue_items), [_row(token, process, item) for item in changed])


def _row(token: str, process: str, item: QueueItem) -> dict[str, Any]:
    status = str(item.status)
    return {
        "token": token,
        "id": item.id,
        "position": item.position,
        "status": status,
        "process": process,
        "item": item_row(item),
    }


def _know_queue(connection: Connection, token: str) -> None:
    if connection.execute(select(queues.c.token).where(queues.c.token == token)).first() is None:
        connection.execute(insert(queues).values(token=token, owner=LOCAL, state={}))
