"""The queues of a workspace: whose each is, its journal, and the state it was left in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.store.database import Database, to_json
from cosmos_workflow.store.process import ProcessLock
from cosmos_workflow.store.records import LOCAL, item_of, item_row
from cosmos_workflow.store.schema import queue_items, queues


class Queues:
    """The journal of every queue (it is a `cosmos_workflow.queueing.Journal`): each change, written before anybody sees it.

    What takes a `connection` belongs to the caller's transaction.
    """

    def __init__(self, database: Database, process: ProcessLock) -> None:
        self._database = database
        self._process = process

    def register(self, token: str, owner: str = LOCAL) -> None:
        """Say whose queue a token is; raises InputError where it is somebody else's."""
        with self._database.write() as connection:
            if _know_queue(connection, token, owner) != owner:
                raise InputError("This queue belongs to somebody else; start one of your own.")

    def save(
        self, token: str, added: Sequence[QueueItem], changed: Sequence[QueueItem] = (), removed: Sequence[str] = ()
    ) -> None:
        """Write items that are new and those that changed, and take away those that left; all or nothing, and durable.

        A token that nobody registered becomes the local user's.
        """
        with self._database.write() as connection:
            if removed:
                self.remove(connection, token, removed)
            if changed:
                self._change(connection, token, changed, self._process.id)
            if added:
                _know_queue(connection, token)
                columns, process = ("token", "id", "position", "status", "process", "item"), self._process.id
                rows = [(token, one.id, one.position, str(one.status), process, to_json(item_row(one))) for one in added]
                self._database.insert_many(connection, queue_items, columns, rows)

    def hand_over(self, token: str, to: str, items: Sequence[QueueItem]) -> None:
        """Items of the queue `token` are those of the queue `to` from now on, in their new places; all or none, and durable."""
        with self._database.write() as connection:
            _know_queue(connection, to)
            self._change(connection, token, items, self._process.id, to)

    def load(self, token: str) -> list[QueueItem]:
        """What the queue holds, in its order; empty for an unknown token. Equal params of neighbours are one object."""
        query = select(*_ITEM).where(queue_items.c.token == token).order_by(queue_items.c.position)
        items: list[QueueItem] = []
        params: Any = None
        weights: Any = None
        with self._database.read() as connection:
            for item_id, position, status, values in connection.execute(query):
                params = params if params == values["params"] else values["params"]
                weights = weights if weights == values["weights"] else values["weights"]
                values["params"], values["weights"] = params, weights
                items.append(item_of(item_id, position, status, values))
        return items

    def first_engine(self, token: str, items: int) -> str:
        """The engine of the first item of a queue that holds at least so many; empty for any other."""
        own = queue_items.c.token == token
        enough = select(func.count()).where(own).scalar_subquery() >= items
        first = select(queue_items.c.item).where(own, enough).order_by(queue_items.c.position).limit(1)
        return str((self._database.value(first) or {}).get("engine", ""))

    def owner_of(self, token: str) -> str | None:
        """Whose queue it is; None for an unknown token."""
        return self._database.value(select(queues.c.owner).where(queues.c.token == token))

    def list_open(self, owner: str | None = None) -> list[tuple[str, str]]:
        """Token and owner of each queue that still holds items, of one owner or of all.

        A queue that another living process works on (a command beside the page) isn't among them.
        """
        query = select(queues.c.token, queues.c.owner, queue_items.c.process).join(queue_items).distinct()
        if owner is not None:
            query = query.where(queues.c.owner == owner)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(queues.c.token)).all()
        others = {process for _, _, process in rows if process != self._process.id and self._process.is_alive(process)}
        busy = {token for token, _, process in rows if process in others}
        return list(dict.fromkeys((token, whose) for token, whose, _ in rows if token not in busy))

    def state_of(self, token: str) -> dict[str, Any]:
        """What `set_state` kept; empty at first, and for an unknown token."""
        return dict(self._database.value(select(queues.c.state).where(queues.c.token == token)) or {})

    def set_state(self, token: str, state: Mapping[str, Any]) -> None:
        """Keep a few plain JSON values beside a queue: whether it is paused, and why."""
        with self._database.write() as connection:
            _know_queue(connection, token)
            connection.execute(update(queues).where(queues.c.token == token).values(state=dict(state)))

    def remove(self, connection: Connection, token: str, item_ids: Sequence[str]) -> None:
        """Take items away."""
        connection.execute(delete(queue_items).where(_SAME), [{"of_token": token, "of_id": item_id} for item_id in item_ids])

    def put_back(self, connection: Connection, token: str, item: QueueItem) -> None:
        """Queue an item again that a dead process had: it is nobody's until a queue takes it."""
        self._change(connection, token, [item], process="")

    def forget_empty(self, connection: Connection) -> None:
        """Forget the queues that hold nothing; only while no process has one open."""
        held = select(queue_items.c.token)
        connection.execute(delete(queues).where(queues.c.token.not_in(held)))

    def find(self, connection: Connection, token: str, item_id: str) -> tuple[QueueItem, str] | None:
        """An item that a queue holds, with the process that wrote it last."""
        known = (queue_items.c.token == token) & (queue_items.c.id == item_id)
        row = connection.execute(select(queue_items.c.process, *_ITEM).where(known)).first()
        return None if row is None else (item_of(*row[1:]), row.process)

    def list_running(self, connection: Connection) -> list[tuple[str, QueueItem, str]]:
        """Token, item and process of everything that was claimed."""
        running = select(queue_items.c.token, queue_items.c.process, *_ITEM).where(
            queue_items.c.status == str(ItemStatus.RUNNING)
        )
        rows = connection.execute(running.order_by(queue_items.c.token, queue_items.c.position))
        return [(token, item_of(*item), process) for token, process, *item in rows]

    @staticmethod
    def _change(connection: Connection, token: str, changed: Sequence[QueueItem], process: str, to: str = "") -> None:
        rows = [
            {
                "of_token": token,
                "of_id": item.id,
                "token": to or token,
                "position": item.position,
                "status": str(item.status),
                "process": process,
                "item": item_row(item),
            }
            for item in changed
        ]
        connection.execute(update(queue_items).where(_SAME), rows)


_ITEM = (queue_items.c.id, queue_items.c.position, queue_items.c.status, queue_items.c.item)
_SAME = (queue_items.c.token == bindparam("of_token")) & (queue_items.c.id == bindparam("of_id"))


def _know_queue(connection: Connection, token: str, owner: str = LOCAL) -> str:
    """Whose queue it is; that of a token that nobody registered is this owner's from now on."""
    known = connection.execute(select(queues.c.owner).where(queues.c.token == token)).scalar()
    if known is None:
        connection.execute(insert(queues).values(token=token, owner=owner, state={}))
    return known or owner
