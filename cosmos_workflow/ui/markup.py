"""Pieces of HTML that all tabs share. Everything that a person typed is escaped in a tab's markup or here, nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cosmos_workflow.engines.registry import known_engine
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui.page_view import Window
from cosmos_workflow.ui.text import clock, engine_title, precise_seconds, shorten_text

if TYPE_CHECKING:
    from cosmos_workflow.jobs.speech.assembly import Final

VIDEO_FILES = (".mp4", ".webm")

Row = dict[str, Any]
"""A row or a card: its `id`, its `html`, and a row's `name` for its box."""


def table_value(columns: Sequence[str], rows: Sequence[Row], empty: str, window: Window, **more: Any) -> dict[str, Any]:
    """What a table draws; `empty` stands there instead of no rows, and where all are sent, what is gone isn't selected."""
    return {
        "columns": columns,
        "rows": rows,
        "complete": window.is_all,
        "empty": empty,
        "page": window.text,
        "first": None,
        **more,
    }


def main_cell(title: str, below: str, kind: str = "", attributes: str = "") -> str:
    """A row's first cell: what opens it, and HTML below that."""
    button = f'<button type="button" class="cw-open"{attributes}>{escape(title)}</button>'
    return f'<td role="cell" class="{f"cw-main {kind}".strip()}">{button}{below}</td>'


def sub(text: str) -> str:
    """A smaller line below another."""
    return f'<span class="cw-sub">{escape(text)}</span>'


def bar(label: str, fraction: float, note: str = "", kind: str = "") -> str:
    """A progress bar with its words."""
    percent = round(100 * fraction)
    return (
        f'<div class="cw-bar {kind}"><div class="cw-bar-words"><span>{escape(label)}</span>'
        f"<span>{percent} %{f' · {escape(note)}' if note else ''}</span></div>"
        f'<div role="progressbar" aria-label="{escape(label)}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}">'
        f'<span style="width:{100 * fraction:.1f}%"></span></div></div>'
    )


def batch_list(batches: Iterable[tuple[str, int, str, str]], more: int) -> str:
    """Batches as they run: HTML before each, its size, words, and why it is apart; `more` are only counted."""
    rows = "".join(
        f'<li>{first}<span class="cw-size">{size:,} item{"" if size == 1 else "s"}</span>'
        f"<span>{escape(words)}{sub(f'apart: {reason}') if reason else ''}</span></li>"
        for first, size, words, reason in batches
    )
    rest = f'<p class="cw-sub">and {more:,} more batches</p>' if more > 0 else ""
    return f'<ol class="cw-batches">{rows}</ol>{rest}' if rows else ""


def file_chips(inputs: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The input files of a prompt; `names` has the name that a file came with."""
    files = [(name, names.get(file, file)) for name, file in ((name, path.rsplit("/", 1)[-1]) for name, path in inputs.items())]
    chips = "".join(
        f'<span class="cw-file" title="{escape(file)}">{escape(name)}: {escape(shorten_text(file, 28))}</span>'
        for name, file in files
    )
    return f'<span class="cw-line-of-files">{chips}</span>' if chips else ""


def run_card(run: RunRecord, foot: str = "", picture: str = "") -> Row:
    """A run with its player, `picture` above it; `foot` is HTML below it, else the traceback of a run that failed."""
    title = escape(shorten_text(run.prompt_text, 140) or run.engine)
    took = f" · {precise_seconds(run.seconds)}" if run.seconds is not None else ""
    words = sub(f"{engine_title(run.engine)} · {clock(run.finished_at or run.queued_at)}{took}")
    head = card_head(title, status_chip(run.status))
    html = f"{head}{words}{error_line(run.error)}{picture}{player(run)}{_previews(run)}{foot or traceback(run)}"
    return {"id": run.id, "html": html}


def card_head(title: str, chip: str = "") -> str:
    """The first line of a card: a title that is HTML, and a chip."""
    return f'<div class="cw-card-head"><span class="cw-title">{title}</span>{chip}</div>'


def player(run: RunRecord, preload: str = "metadata") -> str:
    """The player of a run's main output; empty where there is none. With `preload` "none" nothing is read before it plays."""
    key, kind = main_output(run)
    if not key:
        return ""
    source = escape(media_url(run.id, key))
    label = escape(f"{'Sound' if kind == 'audio' else 'Clip'} of {shorten_text(run.prompt_text or run.id, 60)}")
    if kind == "audio":
        return f'<audio controls preload="{preload}" id="player-{escape(run.id)}" aria-label="{label}" src="{source}"></audio>'
    return (
        f'<video controls preload="{preload}" playsinline muted loop id="player-{escape(run.id)}" '
        f'aria-label="{label}" src="{source}"></video>'
    )


def _previews(run: RunRecord) -> str:
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
    spec = known_engine(run.engine)
    key = spec.output if spec.output in run.outputs else next(iter(run.outputs))
    if spec.output:
        return key, spec.medium
    return key, "video" if run.outputs[key].endswith(VIDEO_FILES) else "audio"


def media_url(run_id: str, key: str, download: bool = False) -> str:
    """Where an output is served."""
    return f"media/{quote(run_id)}/{quote(key)}{'?download=1' if download else ''}"


def final_url(task_id: str, final: Final, kind: str) -> str:
    """Where a final is served; a job of the same name that is made later has others."""
    return f"job-files/{quote(task_id)}/{final.number}/{kind}?made={final.created_at:.3f}"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels and values, side by side."""
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in pairs)
    return f'<dl class="cw-facts">{rows}</dl>'


def status_chip(status: ItemStatus) -> str:
    """A status as a coloured word."""
    return f'<span class="cw-chip cw-{escape(status)}">{escape(status)}</span>'


def note(text: str, tone: str = "calm", strong: str = "") -> str:
    """A line of words, the first ones in bold; empty for an empty text."""
    first = f"<strong>{escape(strong)}</strong> " if strong else ""
    words = f"<span>{escape(text)}</span>" if strong else escape(text)
    return f'<p class="cw-line cw-{tone}">{first}{words}</p>' if text or strong else ""


def text_block(text: str) -> str:
    """A whole text; empty for none."""
    return f'<p class="cw-text">{escape(text)}</p>' if text else ""


def error_line(error: str) -> str:
    """What went wrong; empty for nothing."""
    return f'<p class="cw-error">{escape(error)}</p>' if error else ""


def traceback(run: RunRecord) -> str:
    """The traceback of a run that failed, folded away; empty for none."""
    if not run.traceback:
        return ""
    return f'<details class="cw-traceback"><summary>Technical details</summary><pre>{escape(run.traceback)}</pre></details>'
