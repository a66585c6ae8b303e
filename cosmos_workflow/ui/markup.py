"""Pieces of HTML. Everything that a person typed is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from cosmos_workflow.engines.spec import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.queueing import Batch, ItemStatus, Prompt, QueueItem
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui import view
from cosmos_workflow.ui.view import PAGE_SIZE, Picture

GROUP_COLOURS = 8
VIDEO_FILES = (".mp4", ".webm")
"""Colours of batch groups in page.css; the ninth group has the first one's again."""

Row = dict[str, Any]
ACTIONS = (
    ("open", "Details", "Everything known of this result"),
    ("again", "Run again", "Queue it again with the same parameters"),
    ("reuse", "Reuse", "Load its prompt and parameters into the form"),
)
"""Buttons of a card: event, words, and what they do."""


def queue_table(picture: Picture, page: int = 0) -> dict[str, Any]:
    """The queue's rows for the table: one page of them."""
    items = picture.snapshot.queue.items
    shown = items[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    return {
        "version": picture.snapshot.queue.version,
        "columns": ["Prompt", "Group", "Status"],
        "rows": [_queue_row(item, picture) for item in shown],
        "complete": len(items) <= PAGE_SIZE,
        "empty": "Nothing is queued.",
        "page": page_text(page, len(items)),
    }


def _queue_row(item: QueueItem, picture: Picture) -> Row:
    text = view.shorten_text(item.prompt_text, 160) or "(no text)"
    setup = f"{view.engine_title(item.engine)} · {view.configuration_text(item)}"
    cells = (
        f'<td role="cell" class="cw-main"><button type="button" class="cw-open">{escape(text)}</button>'
        f'<span class="cw-sub">{escape(setup)}</span></td>'
        f"<td role='cell' class='cw-letter'>{group_chip(picture.labels.get(item.batch_key, ''))}</td>"
        f"<td role='cell' class='cw-state'>{status_chip(item.status)}<span class='cw-sub' data-progress></span>"
        + (f"<span class='cw-sub'>{escape(item.error)}</span>" if item.error else "")
        + "</td>"
    )
    return {"id": item.id, "html": cells, "name": view.shorten_text(item.prompt_text or item.id, 60)}


def queue_progress(picture: Picture) -> dict[str, Any]:
    """The bars of queue, batches and items that run, and what the table's running rows say."""
    snapshot = picture.snapshot
    bars = [bar("Queue", snapshot.fraction, view.left_text(snapshot.left))] if picture.is_running else []
    for batch in snapshot.batches:
        name = f"Batch {picture.labels.get(batch.key, '')} · {view.count(len(batch), 'item')}"
        rest = [view.engine_title(batch.engine)]
        if left := picture.batch_left(batch):
            rest.append(view.left_text(left))
        bars.append(bar(name, snapshot.batch_fraction(batch), " · ".join(rest)))
    rows: dict[str, str] = {}
    for item in snapshot.queue.running:
        progress = snapshot.progress.get(item.id)
        left = picture.item_left(item)
        message = progress.message if progress else "waiting for the device"
        rows[item.id] = f"{progress.fraction:.0%} · {message}" if progress and progress.fraction else message
        if progress and progress.stage:
            name = view.shorten_text(item.prompt_text or item.id, 60)
            rest = f"{message} · {view.left_text(left)}" if left else message
            bars.append(bar(name, progress.fraction, rest, "cw-item"))
    state = snapshot.state
    tone = "held" if state is RunnerState.HELD else "active" if picture.is_running else "calm"
    line = (
        f'<p class="cw-line cw-{tone}"><strong>{escape(view.state_word(picture))}</strong> '
        f"<span>{escape(view.state_text(picture))}</span>"
        f"{f' <span>on {escape(snapshot.machines)}</span>' if snapshot.machines else ''}</p>"
    )
    return {"version": snapshot.version, "html": line + "".join(bars), "rows": rows}


def counter(picture: Picture) -> dict[str, str]:
    """The queue in a few words, and the tab's title."""
    return {"text": view.counter_text(picture), "title": view.title_text(picture)}


def bar(label: str, fraction: float, note: str = "", kind: str = "") -> str:
    """A progress bar with its words."""
    percent = round(100 * fraction)
    return (
        f'<div class="cw-bar {kind}"><div class="cw-bar-words"><span>{escape(label)}</span>'
        f"<span>{percent} %{f' · {escape(note)}' if note else ''}</span></div>"
        f'<div role="progressbar" aria-label="{escape(label)}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}">'
        f'<span style="width:{100 * fraction:.1f}%"></span></div></div>'
    )


def batch_preview(picture: Picture) -> str:
    """The batches as they will run: group, size, engine, and why each is apart from the one before it."""
    batches: list[Batch] = [*picture.snapshot.batches, *picture.planned]
    if not batches:
        return '<p class="cw-empty">Batches show here as soon as something is queued.</p>'
    running = {batch.id for batch in picture.snapshot.batches}
    rows = []
    shown = batches[:PAGE_SIZE]
    for batch, reason in zip(shown, view.batch_reasons(shown), strict=True):
        left = picture.batch_left(batch)
        notes = [
            view.engine_title(batch.engine),
            "running" if batch.id in running else "",
            str(left) if left else "",
        ]
        why = f'<span class="cw-sub">apart: {escape(reason)}</span>' if reason else ""
        rows.append(
            f"<li>{group_chip(picture.labels.get(batch.key, ''))}"
            f'<span class="cw-size">{view.count(len(batch), "item")}</span>'
            f"<span>{escape(' · '.join(note for note in notes if note))}{why}</span></li>"
        )
    more = f'<p class="cw-sub">and {len(batches) - PAGE_SIZE:,} more batches</p>' if len(batches) > PAGE_SIZE else ""
    gains = {engine: picture.gain(engine) for engine in dict.fromkeys(batch.engine for batch in shown)}
    told = [f'<p class="cw-sub">{escape(view.gain_text(engine, gain))}</p>' for engine, gain in gains.items() if gain]
    return f'<ol class="cw-batches">{"".join(rows)}</ol>{more}{"".join(told)}'


def prompts_table(
    prompts: Sequence[Prompt], page: int, total: int, names: Mapping[str, str], *, filtered: bool
) -> dict[str, Any]:
    """A page of the library; `names` gives the name an input file came with."""
    empty = "No prompt matches." if filtered else "The library is empty. Write a prompt, or import a CSV or TXT file."
    return {
        "columns": ["Prompt"],
        "rows": [_prompt_row(prompt, names) for prompt in prompts],
        "complete": False,
        "empty": empty,
        "page": page_text(page, total),
    }


def _prompt_row(prompt: Prompt, names: Mapping[str, str]) -> Row:
    title = view.shorten_text(prompt.name or prompt.text, 160)
    below = f'<span class="cw-sub">{escape(view.shorten_text(prompt.text, 160))}</span>' if prompt.name else ""
    cells = (
        f'<td role="cell" class="cw-main"><button type="button" class="cw-open">{escape(title)}</button>{below}'
        f"{input_chips(prompt.inputs, names)}</td>"
    )
    return {"id": prompt.id, "html": cells, "name": title[:60]}


def input_chips(inputs: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The input files of a prompt."""
    files = [(name, names.get(file, file)) for name, file in ((name, path.rsplit("/", 1)[-1]) for name, path in inputs.items())]
    chips = "".join(
        f'<span class="cw-file" title="{escape(file)}">{escape(name)}: {escape(view.shorten_text(file, 28))}</span>'
        for name, file in files
    )
    return f'<span class="cw-line-of-files">{chips}</span>' if chips else ""


def run_card(run: RunRecord, *, actions: bool = False) -> Row:
    """A run with its player; `actions` adds the buttons of the gallery."""
    title = escape(view.shorten_text(run.prompt_text, 140) or run.engine)
    took = f" · {view.precise_seconds(run.seconds)}" if run.seconds is not None else ""
    sub = escape(f"{view.engine_title(run.engine)} · {view.clock(run.finished_at or run.queued_at)}{took}")
    error = f'<p class="cw-error">{escape(run.error)}</p>' if run.error else ""
    head = f'<div class="cw-card-head"><span class="cw-title">{title}</span>{status_chip(run.status)}</div>'
    foot = _actions(run) if actions else _traceback(run)
    html = f'{head}<span class="cw-sub">{sub}</span>{error}{player(run)}{previews(run)}{foot}'
    return {"id": run.id, "html": html}


def gallery(
    runs: Sequence[RunRecord], first: int, total: int, *, filtered: bool, engine: str = "", text: str = ""
) -> dict[str, Any]:
    """A page of results; `first` is the place of its first one among the `total`, found by `engine` and `text`."""
    return {
        "rows": [run_card(run, actions=True) for run in runs],
        "empty": "No result matches." if filtered else "Nothing was made yet. Queue some prompts and press Start.",
        "page": f"{first + 1:,} to {first + len(runs):,} of {total:,}" if total > len(runs) else "",
        "download": _download_all(engine, text) if any(run.outputs for run in runs) else "",
    }


def _download_all(engine: str, text: str) -> str:
    address = escape(f"media.zip?{urlencode({'engine': engine, 'text': text})}")
    return f'<a class="cw-download" download href="{address}">Download all that succeeded</a>'


def player(run: RunRecord) -> str:
    """The player of a run's main output; empty where there is none."""
    key, kind = main_output(run)
    if not key:
        return ""
    source = escape(media_url(run.id, key))
    label = escape(f"{'Sound' if kind == 'audio' else 'Clip'} of {view.shorten_text(run.prompt_text or run.id, 60)}")
    if kind == "audio":
        return f'<audio controls preload="metadata" id="player-{escape(run.id)}" aria-label="{label}" src="{source}"></audio>'
    return (
        f'<video controls preload="metadata" playsinline muted loop id="player-{escape(run.id)}" '
        f'aria-label="{label}" src="{source}"></video>'
    )


def previews(run: RunRecord) -> str:
    """The other clips of a run, the control signals say, small and side by side; they follow its player."""
    main, _kind = main_output(run)
    clips = [key for key, file in run.outputs.items() if key != main and file.endswith(VIDEO_FILES)] if main else []
    figures = "".join(
        f'<figure><video preload="metadata" playsinline muted loop aria-label="{escape(key.replace("_", " "))}" '
        f'src="{escape(media_url(run.id, key))}"></video><figcaption>{escape(key.replace("_", " "))}</figcaption></figure>'
        for key in clips
    )
    return f'<div class="cw-previews">{figures}</div>' if figures else ""


def main_output(run: RunRecord) -> tuple[str, str]:
    """Key and medium of the output that a person plays; empty strings where the run has none."""
    if run.status is not ItemStatus.SUCCEEDED or not run.outputs:
        return "", ""
    try:
        spec = find_engine(run.engine)
    except InputError:
        key = next(iter(run.outputs))
        return key, "video" if run.outputs[key].endswith(VIDEO_FILES) else "audio"
    key = spec.output if spec.output in run.outputs else next(iter(run.outputs))
    return key, spec.medium


def media_url(run_id: str, key: str, download: bool = False) -> str:
    """Where an output is served."""
    return f"media/{quote(run_id)}/{quote(key)}{'?download=1' if download else ''}"


def run_details(run: RunRecord) -> str:
    """Everything known of a run, its player and its files."""
    files = "".join(_download(run, key, f"{key}: {name}") for key, name in run.outputs.items())
    text = f'<p class="cw-text">{escape(run.prompt_text)}</p>' if run.prompt_text else ""
    error = f'<p class="cw-error">{escape(run.error)}</p>' if run.error else ""
    downloads = f'<div class="cw-files">{files}</div>' if files else ""
    return f"{text}{error}{facts(view.run_facts(run))}{downloads}{_traceback(run)}"


def item_details(item: QueueItem, picture: Picture, run: RunRecord | None = None) -> str:
    """Everything known of a queue item; `run` is its last one, for the traceback."""
    error = f'<p class="cw-error">{escape(item.error)}</p>' if item.error else ""
    text = f'<p class="cw-text">{escape(item.prompt_text)}</p>' if item.prompt_text else ""
    return f"{text}{error}{facts(view.item_facts(item, picture))}{_traceback(run) if run else ''}"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels and values, side by side."""
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in pairs)
    return f'<dl class="cw-facts">{rows}</dl>'


def status_chip(status: ItemStatus) -> str:
    """A status as a coloured word."""
    return f'<span class="cw-chip cw-{escape(status)}">{escape(status)}</span>'


def group_chip(label: str) -> str:
    """A batch group as a coloured letter."""
    if not label:
        return ""
    number = sum((ord(letter) - 64) * 26**place for place, letter in enumerate(reversed(label)))
    return f'<span class="cw-group cw-g{(number - 1) % GROUP_COLOURS}">{escape(label)}</span>'


def note(text: str, tone: str = "calm") -> str:
    """A line of words; empty for an empty text."""
    return f'<p class="cw-line cw-{tone}">{escape(text)}</p>' if text else ""


def page_text(page: int, total: int) -> str:
    """Which rows of how many are shown; empty where they all are."""
    if total <= PAGE_SIZE:
        return ""
    return f"{page * PAGE_SIZE + 1:,} to {min(total, (page + 1) * PAGE_SIZE):,} of {total:,}"


def _actions(run: RunRecord) -> str:
    key, _kind = main_output(run)
    words = "".join(
        f'<button type="button" data-action="{action}" title="{title}">{label}</button>' for action, label, title in ACTIONS
    )
    if key:
        words += _download(run, key, "Download")
    return f'<div class="cw-actions">{words}<button type="button" data-action="remove">Delete</button></div>'


def _download(run: RunRecord, key: str, words: str) -> str:
    return f'<a class="cw-download" href="{escape(media_url(run.id, key, download=True))}" download>{escape(words)}</a>'


def _traceback(run: RunRecord) -> str:
    if not run.traceback:
        return ""
    return f'<details class="cw-traceback"><summary>Technical details</summary><pre>{escape(run.traceback)}</pre></details>'
