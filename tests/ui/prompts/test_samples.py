"""What a stranger finds on the first day: prompts that can be queued as they are."""

from __future__ import annotations

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing import Queue
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.prompts.welcome import add_samples


def test_every_sample_can_be_queued_and_none_comes_back_once_deleted(workspace: Workspace) -> None:
    store = Store(workspace)
    add_samples(store)
    samples = store.prompts.list()
    queue = Queue()
    queue.add_to_queue([prompt for prompt in samples if not prompt.inputs], "espeak", {})
    queue.add_to_queue([prompt for prompt in samples if prompt.inputs], "control-preview", {})
    assert len(queue) == len(samples) >= 5
    store.prompts.delete([prompt.id for prompt in store.prompts.list()])
    add_samples(store)
    assert store.prompts.list() == []
    store.close()
