"""Queueing, pure: items, the transition table, the batch key, grouping, and the queue itself."""

from cosmos_workflow.queueing.batches import (
    calculate_batch_key,
    explain_difference,
    explain_groups,
    group_queue_by_batch_key,
    plan_batches,
)
from cosmos_workflow.queueing.items import Batch, ItemStatus, Prompt, QueueItem, TransitionError
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.snapshot import Journal, QueueSnapshot

__all__ = [
    "Batch",
    "ItemStatus",
    "Journal",
    "Prompt",
    "Queue",
    "QueueItem",
    "QueueSnapshot",
    "TransitionError",
    "calculate_batch_key",
    "explain_difference",
    "explain_groups",
    "group_queue_by_batch_key",
    "plan_batches",
]
