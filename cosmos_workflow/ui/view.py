"""What a queue and its results look like in words: snapshots in, display values out. No gradio, no HTML."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cosmos_workflow.engines.spec import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.estimates import BatchingGain, Rate, TimeLeft, format_seconds, time_left
from cosmos_workflow.execution.runner import RunnerSnapshot, RunnerState
from cosmos_workflow.queueing import Batch, ItemStatus, QueueItem, QueueSnapshot, explain_groups
from cosmos_workflow.queueing.rows import describe_params, describe_weights, group_labels
from cosmos_workflow.store.records import LOCAL, RunRecord

PAGE_SIZE = 200
"""Rows of a table that are sent at once."""
NAMED_FAILURES = 3
"""Failed prompts that a notice names; the others are counted."""

STATES: Mapping[RunnerState, str] = {
    RunnerState.IDLE: "Ready",
    RunnerState.RUNNING: "Running",
    RunnerState.PAUSING: "Pausing",
    RunnerState.PAUSED: "Paused",
    RunnerState.HELD: "On hold",
}


@dataclass(frozen=True)
class Picture:
    """What the page shows of one queue at one moment. `plan` gives the batches of what is queued, `rate` an engine's speed,
    `gain` what batching gains on it.

    `since` is when this server started: older items came back from an earlier life.
    """

    snapshot: RunnerSnapshot
    plan: Callable[[], Sequence[Batch]]
    rate: Callable[[str], Rate | None]
    since: float = 0.0
    owner: str = LOCAL
    gain: Callable[[str], BatchingGain | None] = lambda _engine: None

    @cached_property
    def planned(self) -> tuple[Batch, ...]:
        """The batches of what is queued, in the order in which they will run."""
        return tuple(self.plan())

    @cached_property
    def labels(self) -> dict[str, str]:
        """The letter of each batch key."""
        return group_labels(self.snapshot.queue, self.planned)

    @property
    def is_running(self) -> bool:
        """Whether something runs, or is about to."""
        return self.snapshot.active

    @property
    def came_back(self) -> int:
        """How many queued items are older than this server."""
        return sum(item.added_at < self.since for item in self.snapshot.queue.queued)

    def item_left(self, item: QueueItem) -> TimeLeft | None:
        """Time left for one item; None before its engine was measured here."""
        progress = self.snapshot.progress.get(item.id)
        share = 1 - progress.fraction if progress else 1.0
        return time_left([(item.cost * share, 1, self.rate(item.engine))])

    def batch_left(self, batch: Batch) -> TimeLeft | None:
        """Time left for a batch, running or planned."""
        share = 1 - self.snapshot.batch_fraction(batch) if batch in self.snapshot.batches else 1.0
        cost = sum(item.cost for item in batch.items) * share
        return time_left([(cost, 1, self.rate(batch.engine))])


def counter_text(picture: Picture) -> str:
    """The queue in a few words: "2 running, 3 queued, 12 of 50 done"."""
    queue = picture.snapshot.queue
    if not queue.items:
        return "Queue empty"
    running, queued = len(queue.running), len(queue.queued)
    parts = [f"{running} running"] if running else []
    parts += [f"{queued} queued"] if queued else []
    done = sum(queue.done.values())
    return ", ".join([*parts, *([f"{done} of {queue.total} done"] if done else [])])


def title_text(picture: Picture, name: str = "Cosmos Workflow") -> str:
    """The tab's title: "12/50, 6 min left - Cosmos Workflow" while it runs."""
    if not picture.is_running:
        return name
    queue, left = picture.snapshot.queue, picture.snapshot.left
    rest = f", {format_seconds(left.seconds)} left" if left else ""
    return f"{sum(queue.done.values())}/{queue.total}{rest} - {name}"


def left_text(left: TimeLeft | None) -> str:
    """Time left with its error, or that it isn't known yet."""
    return f"{left} left" if left else "time left: known after the first finished batch"


def state_text(picture: Picture) -> str:
    """One sentence on what the queue does and what a person can do now."""
    snapshot = picture.snapshot
    queue = snapshot.queue
    if snapshot.state is RunnerState.HELD:
        return snapshot.reason
    if snapshot.state is RunnerState.PAUSING:
        return "The batch that is running is finished first."
    if snapshot.state is RunnerState.RUNNING:
        return f"{count(len(queue.items), 'item')} to go."
    if not queue.items:
        return finished_text(queue) or "Nothing is queued. Select prompts and add them to the queue."
    back = picture.came_back
    if snapshot.state is RunnerState.IDLE and back:
        return f"{count(back, 'item')} came back from before; press Start."
    waiting = f"{count(len(queue.queued), 'item')} {'waits' if len(queue.queued) == 1 else 'wait'}; press Start"
    return f"{waiting} to go on." if snapshot.state is RunnerState.PAUSED else f"{waiting}."


def state_word(picture: Picture) -> str:
    """The state in a word or two."""
    snapshot = picture.snapshot
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


def clear_question(queue: QueueSnapshot) -> str:
    """What to ask before a queue is cleared."""
    running, queued = len(queue.running), len(queue.queued)
    goes_on = f" {count(running, 'item')} {'is' if running == 1 else 'are'} running and would go on." if running else ""
    if not queued:
        return f"Nothing waits. Forget the list of what is done? The files stay in Results.{goes_on}"
    return f"Take away {count(queued, 'waiting item')}?{goes_on} What is done stays in Results."


def configuration_text(item: QueueItem) -> str:
    """Weights and changed params of an item; "defaults" where nothing was changed."""
    return "; ".join(part for part in (describe_weights(item.weights), describe_params(item)) if part) or "defaults"


def batch_reasons(batches: Sequence[Batch]) -> list[str]:
    """Why each batch is apart from the one before it, in words for a person."""
    return [reason.replace("_", " ") for reason in explain_groups(batches)]


def run_facts(run: RunRecord) -> list[tuple[str, str]]:
    """What is known of a run, as label and value, in the order in which a person asks."""
    facts: list[tuple[str, str]] = [("Status", str(run.status)), ("Engine", engine_title(run.engine))]
    facts += param_facts(run.engine, run.params)
    if run.weights:
        facts.append(("Weights", describe_weights(run.weights)))
    facts += [(f"Input: {name}", path.rsplit("/", 1)[-1]) for name, path in run.inputs.items()]
    facts.append(("Batch", f"{run.batch_id or 'none'}, {count(run.batch_size, 'item')}"))
    if run.device:
        facts.append(("Device", run.device))
    facts.append(("Queued", clock(run.queued_at)))
    if run.started_at:
        facts.append(("Started", clock(run.started_at)))
    if run.seconds is not None:
        facts.append(("Took", precise_seconds(run.seconds)))
    if run.load_seconds:
        facts.append(("Loading", precise_seconds(run.load_seconds)))
    facts += [(str(name).replace("_", " ").capitalize(), _plain(value)) for name, value in run.metadata.items()]
    facts.append(("Run", run.id))
    return facts


def item_facts(item: QueueItem, picture: Picture) -> list[tuple[str, str]]:
    """What is known of a queued, running or finished item."""
    facts = [("Status", str(item.status)), ("Engine", engine_title(item.engine)), *param_facts(item.engine, item.params)]
    if item.weights:
        facts.append(("Weights", describe_weights(item.weights)))
    facts += [(f"Input: {name}", path.rsplit("/", 1)[-1]) for name, path in item.inputs.items()]
    if item.batch_key in picture.labels:
        facts.append(("Batch group", picture.labels[item.batch_key]))
    facts.append(("Added", clock(item.added_at)))
    if item.attempts:
        facts.append(("Interrupted", f"{item.attempts} times"))
    if item.retry_of:
        facts.append(("Retry of", item.retry_of))
    return [*facts, ("Item", item.id)]


def param_facts(engine: str, params: Mapping[str, object]) -> list[tuple[str, str]]:
    """The params by their labels; an engine that isn't installed any more gives their names."""
    try:
        labels = {field.name: field.label for field in find_engine(engine).fields(params) if not field.unused}
    except InputError:
        labels = {name: name for name in params}
    return [(labels[name], _plain(value)) for name, value in params.items() if name in labels and value not in ("", None)]


def engine_title(name: str) -> str:
    """What a person calls an engine; its name where it isn't installed any more."""
    try:
        return find_engine(name).title
    except InputError:
        return name


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 item", "3 items"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def shorten_text(text: str, most: int) -> str:
    """The first line of a text, cut to `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def clock(when: float) -> str:
    """A moment, in local time; only the time where it is today."""
    moment = time.localtime(when)
    today = time.localtime()
    same_day = moment[:3] == today[:3]
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M", moment)


def precise_seconds(seconds: float) -> str:
    """A duration with a decimal where it is short."""
    return f"{seconds:.1f} s" if seconds < 10 else format_seconds(seconds)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(member) for member in value)
    return f"{value:g}" if isinstance(value, float) else shorten_text(str(value), 200)


def gain_text(engine: str, gain: BatchingGain) -> str:
    """What batching was measured to gain on an engine."""
    return (
        f"{engine_title(engine)} in batches: {gain.batched:.3g} items a minute instead of {gain.alone:.3g} one at a time "
        f"({gain.factor:.1f} times as fast), measured on finished runs."
    )
