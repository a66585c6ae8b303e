"""What a queue looks like in words: snapshots in, sentences out. No gradio, no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosmos_workflow.execution.estimates import BatchingGain
from cosmos_workflow.execution.runner import RunnerSnapshot, RunnerState
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.queueing.snapshot import QueueSnapshot
from cosmos_workflow.ui.page_view import PageView
from cosmos_workflow.ui.text import Facts, clock, count, engine_title, recipe_facts, shorten_text

TABLE = "queue-table"
"""The elem_id of the queue's table."""
NAMED_FAILURES = 3
"""Failed prompts that a notice names; the others are counted."""

STATES: Mapping[RunnerState, str] = {
    RunnerState.IDLE: "Ready",
    RunnerState.RUNNING: "Running",
    RunnerState.PAUSING: "Pausing",
    RunnerState.PAUSED: "Paused",
    RunnerState.HELD: "On hold",
}


def state_text(now: PageView) -> str:
    """One sentence on what the queue does and what a person can do now."""
    snapshot, queue = now.snapshot, now.snapshot.queue
    if snapshot.state is RunnerState.HELD:
        return snapshot.reason
    if snapshot.state is RunnerState.PAUSING:
        return "The batch that is running is finished first."
    if snapshot.state is RunnerState.RUNNING:
        return f"{count(len(queue.items), 'item')} to go."
    if not queue.items:
        return finished_text(queue) or "Nothing is queued. Select prompts and add them to the queue."
    if snapshot.state is RunnerState.IDLE and now.restored:
        return f"{count(now.restored, 'item')} came back from before; press Start."
    waiting = f"{count(queue.waiting, 'item')} {'waits' if queue.waiting == 1 else 'wait'}; press Start"
    takes = f" In all {snapshot.left}." if snapshot.left else ""
    return f"{waiting} to go on.{takes}" if snapshot.state is RunnerState.PAUSED else f"{waiting}.{takes}"


def state_word(now: PageView) -> str:
    """The state in a word or two."""
    snapshot = now.snapshot
    if snapshot.state is RunnerState.IDLE and not snapshot.queue.items and snapshot.queue.done:
        return "Done"
    return STATES[snapshot.state]


def finished_text(queue: QueueSnapshot) -> str:
    """How a round ended, naming failures: "10 succeeded, 2 failed. Failed: ..."; empty where nothing was done."""
    parts = [f"{number} {status}" for status, number in queue.done.items() if number]
    if not parts:
        return ""
    failed = queue.failed[-queue.done.get(ItemStatus.FAILED, 0) :] if queue.done.get(ItemStatus.FAILED) else []
    named = ", ".join(shorten_text(item.prompt_text or item.id, 40) for item in failed[:NAMED_FAILURES])
    more = f" and {len(failed) - NAMED_FAILURES} more" if len(failed) > NAMED_FAILURES else ""
    return f"{', '.join(parts)}." + (f" Failed: {named}{more}." if failed else "")


def end_notice(snapshot: RunnerSnapshot) -> str:
    """What to say when a queue stopped: how it ended, and which prompts failed."""
    if snapshot.state is RunnerState.HELD:
        return f"The queue is on hold: {snapshot.reason}"
    ended = finished_text(snapshot.queue) or "Nothing was done."
    return f"{'Paused' if snapshot.state is RunnerState.PAUSED else 'Done'}: {ended}"


def pause_notice(queue: QueueSnapshot, *, freeing: bool = False) -> str:
    """What happens after Pause was pressed."""
    running = len(queue.running)
    then = " Then the engines are unloaded." if running else " The engines are unloaded."
    paused = f"Pausing: {count(running, 'running item')} will be finished first." if running else "Paused."
    return paused + (then if freeing else "")


def clear_button(queue: QueueSnapshot) -> dict[str, Any]:
    """The button that clears, with the number of what it takes away."""
    words = f"Clear {queue.waiting:,}" if queue.waiting else "Clear"
    return {"value": words, "interactive": bool(queue.items or queue.finished)}


def cancel_button(queue: QueueSnapshot) -> dict[str, Any]:
    """The button that cancels what runs."""
    return {"value": f"Cancel {len(queue.running):,} running", "visible": bool(queue.running)}


def retry_button(queue: QueueSnapshot) -> dict[str, Any]:
    """The button that queues again, with what: "Retry 2 failed", "Retry 2 failed, 1 cancelled"."""
    failed = len(queue.failed)
    numbers = ((failed, "failed"), (len(queue.retryable) - failed, "cancelled"))
    words = ", ".join(f"{number:,} {word}" for number, word in numbers if number)
    return {"value": f"Retry {words}", "visible": bool(queue.retryable)}


def cancel_question(chosen: int, running: int) -> str:
    """What to ask before running items are cancelled: the selected ones, or all where none of them is selected."""
    which = f"the {count(chosen, 'selected item')}" if chosen else count(running, "running item")
    rest = f" The other {running - chosen:,} go on." if chosen and running > chosen else ""
    return f"Cancel {which}? What was begun of it is lost; it can be retried.{rest}"


def clear_question(queue: QueueSnapshot) -> str:
    """What to ask before a queue is cleared."""
    running, queued = len(queue.running), queue.waiting
    goes_on = f" {count(running, 'item')} {'is' if running == 1 else 'are'} running and would go on." if running else ""
    if not queued:
        return f"Nothing waits. Forget the list of what is done? The files stay in Results.{goes_on}"
    return f"Take away {count(queued, 'waiting item')}?{goes_on} What is done stays in Results."


def gain_text(engine: str, gain: BatchingGain) -> str:
    """What batching was measured to gain on an engine."""
    return (
        f"{engine_title(engine)} in batches: {gain.batched:.3g} items a minute instead of {gain.alone:.3g} one at a time "
        f"({gain.factor:.1f} times as fast), measured on finished runs."
    )


def item_facts(item: QueueItem, now: PageView, names: Mapping[str, str]) -> Facts:
    """What is known of a queued, running or finished item; `names` has the name that an input file came with."""
    happened = {
        "Batch group": now.labels.get(item.batch_key, ""),
        "Added": clock(item.added_at),
        "Interrupted": f"{item.attempts} times" if item.attempts else "",
        "Retry of": item.retry_of,
    }
    facts = [("Status", str(item.status)), *recipe_facts(item.engine, item.params, item.weights, item.inputs, names)]
    return [*facts, *((label, words) for label, words in happened.items() if words), ("Item", item.id)]
