"""Pieces of HTML of the Queue tab: bars, batches and details."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from cosmos_workflow.execution.estimates import format_seconds
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.queueing.batches import explain_groups
from cosmos_workflow.queueing.items import QueueItem
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.page_view import PAGE_SIZE, PageView
from cosmos_workflow.ui.queue import view
from cosmos_workflow.ui.text import count, engine_title, left_text, shorten_text

GROUP_COLOURS = 8
"""Colours of batch groups in page.css; the ninth group has the first one's again."""


def queue_progress(now: PageView) -> dict[str, Any]:
    """The bars of queue, batches and items that run, and what the table's running rows say."""
    snapshot = now.snapshot
    bars = [markup.bar("Queue", snapshot.fraction, left_text(snapshot.left))] if snapshot.active else []
    for batch in snapshot.batches:
        name = f"Batch {now.labels.get(batch.key, '')} · {count(len(batch), 'item')}"
        rest = [engine_title(batch.engine)]
        if left := now.batch_left(batch):
            rest.append(left_text(left))
        bars.append(markup.bar(name, snapshot.batch_fraction(batch), " · ".join(rest)))
    rows: dict[str, str] = {}
    for item in snapshot.queue.running:
        progress, left = snapshot.progress.get(item.id), now.item_left(item)
        message = progress.message if progress else "waiting for the device"
        rows[item.id] = f"{progress.fraction:.0%} · {message}" if progress and progress.fraction else message
        if progress and progress.stage:
            rows[item.id] += f" · {format_seconds(time.time() - progress.started_at)}"
            rest = f"{message} · {left_text(left)}" if left else message
            bars.append(markup.bar(shorten_text(item.prompt_text or item.id, 60), progress.fraction, rest, "cw-item"))
    cells = {item_id: escape(words) for item_id, words in rows.items()}
    return {"version": snapshot.version, "queue": now.token, "html": _state_line(now) + "".join(bars), "rows": cells}


def _state_line(now: PageView) -> str:
    snapshot = now.snapshot
    tone = "held" if snapshot.state is RunnerState.HELD else "active" if snapshot.active else "calm"
    on = "" if snapshot.machines.startswith("waiting") else "on "
    machines = f" <span>{on}{escape(snapshot.machines)}</span>" if snapshot.machines else ""
    return f"{markup.note(view.state_text(now), tone, view.state_word(now)).removesuffix('</p>')}{machines}</p>"


def save_link(now: PageView) -> str:
    """Where the queue is served as a file; empty for an empty queue."""
    address = f"queue.zip?{urlencode({'token': now.token})}"
    return markup.download(address, "Save queue") if now.snapshot.queue.items else ""


def batch_preview(now: PageView) -> str:
    """The batches as they will run: group, size, engine, and why each is apart from the one before it."""
    shown = [*now.snapshot.batches, *now.planned[:PAGE_SIZE]][:PAGE_SIZE]
    if not shown:
        return '<p class="cw-empty">Batches show here as soon as something is queued.</p>'
    running = {batch.id for batch in now.snapshot.batches}
    rows: list[tuple[str, int, str, str]] = []
    for batch, reason in zip(shown, explain_groups(shown), strict=True):
        left = now.batch_left(batch)
        words = [engine_title(batch.engine), "running" if batch.id in running else "", str(left) if left else ""]
        chip, said = group_chip(now.labels.get(batch.key, "")), " · ".join(word for word in words if word)
        rows.append((chip, len(batch), said, reason.replace("_", " ")))
    gains = {engine: now.gain(engine) for engine in dict.fromkeys(batch.engine for batch in shown)}
    notes = [f'<p class="cw-sub">{escape(view.gain_text(engine, gain))}</p>' for engine, gain in gains.items() if gain]
    return markup.batch_list(rows, len(now.snapshot.batches) + len(now.planned) - PAGE_SIZE) + "".join(notes)


def item_details(item: QueueItem, now: PageView, names: Mapping[str, str]) -> str:
    """Everything known of a queue item; `names` has the name that an input file came with."""
    facts = markup.facts(view.item_facts(item, now, names))
    return f"<h2>Queue item</h2>{markup.text_block(item.prompt_text)}{markup.error_line(item.error)}{facts}"


def group_chip(label: str) -> str:
    """A batch group as a coloured letter."""
    if not label:
        return ""
    number = sum((ord(letter) - 64) * 26**place for place, letter in enumerate(reversed(label)))
    return f'<span class="cw-group cw-g{(number - 1) % GROUP_COLOURS}">{escape(label)}</span>'
