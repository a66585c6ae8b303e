"""Run by tests: processes that write at once, or die at a chosen moment. Each is a fork of this small, threadless one."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "plugin"))

from sqlalchemy import event
from store_support import publish

from cosmos_workflow.config import Workspace
from cosmos_workflow.files import Disk
from cosmos_workflow.queueing import ItemStatus, Prompt, Queue, QueueItem
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.runs import Made
from cosmos_workflow.store.store import Store


class MortalDisk(Disk):
    """Kills its process at the change of this number; a transaction's begin and end count as changes."""

    def __init__(self, last: int) -> None:
        self.left = last

    def touching(self, path: Path) -> None:
        self.step()

    def step(self, *_arguments: Any) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def make(store: Store, record: RunRecord) -> RunRecord:
    """What a worker and its runner do for an item that succeeds."""
    (store.runs.open_folder(record.id) / "sound.wav").write_bytes(b"RIFF" + record.prompt_text.encode())
    return publish(store, record.id, {"audio": "sound.wav"})


def live(root: str, last: int, together: bool) -> None:
    """A short life: two items are queued, a batch claimed; one succeeds, the other fails, or both succeed `together`."""
    disk = MortalDisk(last)
    store = Store(Workspace.open(root), disk=disk)
    event.listen(store.database.engine, "commit", disk.step)
    event.listen(store.database.engine, "checkin", disk.step)
    items = [QueueItem("ps_1", text, "probe", {"group": 0, "rate": 1}, {}, {}, "key") for text in ("one", "two")]
    queue = Queue("qt_life", journal=store.queues)
    queue.extend(items)
    batch = queue.claim()
    assert batch is not None
    records = store.runs.begin([RunRecord.of(item, batch, token=queue.token) for item in batch.items])
    if together:
        for record in records:
            (store.runs.open_folder(record.id) / "sound.wav").write_bytes(b"RIFF" + record.prompt_text.encode())
        store.runs.publish_all([Made(record.id, {"audio": "sound.wav"}) for record in records])
        for record in records:
            queue.finish(record.item_id, ItemStatus.SUCCEEDED)
        os._exit(0)
    make(store, records[0])
    queue.finish(records[0].item_id, ItemStatus.SUCCEEDED)
    store.runs.open_folder(records[1].id)
    store.runs.finish(records[1].id, ItemStatus.FAILED, error="told to")
    store.runs.discard_folder(records[1].id)
    queue.finish(records[1].item_id, ItemStatus.FAILED, "told to")
    os._exit(0)


def die_everywhere(root: str, together: bool) -> None:
    """A life for each moment at which it can end, in a workspace of its own; prints how many there were."""
    moment, status = 0, signal.SIGKILL
    while status == signal.SIGKILL:
        status = wait(fork(lambda moment=moment: live(f"{root}/{moment}", moment, together)))
        moment += 1
    if status:
        sys.exit(f"life {moment - 1} ended with {status}")
    sys.stdout.write(str(moment))


def write(root: str, number: int) -> None:
    """What each of several processes writes."""
    store = Store(Workspace.open(root))
    queue = Queue(f"qt_{number}", journal=store.queues)
    for turn in range(20):
        store.prompts.save([Prompt(f"{number} {turn}")])
        queue.extend([QueueItem("ps_1", f"{turn}", "probe", {"group": 0, "rate": 1}, {}, {}, "key")])
    batch = queue.claim()
    assert batch is not None
    for item in batch.items[:5]:
        (record,) = store.runs.begin([RunRecord.of(item, batch, token=queue.token)])
        store.runs.update_progress(record.id, "think", 0.5)
        make(store, record)
        queue.finish(item.id, ItemStatus.SUCCEEDED)
    queue.put_back([item.id for item in batch.items[5:]])
    store.close()


def fork(work: Callable[[], None]) -> int:
    """Do `work` in a process of its own, and give back its id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait(child: int) -> int:
    """How a process ended: 0, its exit code, or the signal that killed it."""
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main() -> None:
    """`die FOLDER`, `die-together FOLDER`, or `write WORKSPACE PROCESSES`."""
    if sys.argv[1] in ("die", "die-together"):
        die_everywhere(sys.argv[2], sys.argv[1] == "die-together")
        return
    children = [fork(lambda number=number: write(sys.argv[2], number)) for number in range(int(sys.argv[3]))]
    sys.exit(max(wait(child) for child in children))


if __name__ == "__main__":
    main()
