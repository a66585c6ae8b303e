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
    shown = {"columns": columns, "rows": rows, "empty": empty}
    return {**shown, "complete": window.is_all, "page": window.text, **more}


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
    title = shorten_text(run.prompt_text, 140) or run.engine
    took = f" · {precise_seconds(run.seconds)}" if run.seconds is not None else ""
    words = sub(f"{engine_title(run.engine)} · {clock(run.finished_at or run.queued_at)}{took}")
    head = card_head(title, chip(run.status))
    html = f"{head}{words}{error_line(run.error)}{picture}{player(run)}{_previews(run)}{foot or traceback(run)}"
    return {"id": run.id, "html": html}


def card_head(title: str, chip: str = "") -> str:
    """The first line of a card: a title, and a chip, which is HTML."""
    return f'<div class="cw-card-head"><span class="cw-title">{escape(title)}</span>{chip}</div>'


def player(run: RunRecord, preload: str = "metadata") -> str:
    """The player of a run's main output; empty where there is none."""
    key, kind = main_output(run)
    if not key:
        return ""
    source, name = media_url(run.id, key), shorten_text(run.prompt_text or run.id, 60)
    id_attribute = f' id="player-{escape(run.id)}"'
    if kind == "audio":
        return sound(source, f"Sound of {name}", preload, id_attribute)
    more = f'playsinline muted loop{id_attribute} aria-label="{escape(f"Clip of {name}")}"'
    return f'<video controls preload="{preload}" {more} src="{escape(source)}"></video>'


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


def media_url(run_id: str, key: str) -> str:
    """Where an output is served."""
    return f"media/{quote(run_id)}/{quote(key)}"


def output_download(run: RunRecord, key: str, words: str) -> str:
    """A link that saves an output."""
    return download(f"{media_url(run.id, key)}?download=1", words)


def final_url(task_id: str, final: Final, kind: str) -> str:
    """Where a final is served; a job of the same name that is made later has others."""
    return f"job-files/{quote(task_id)}/{final.number}/{kind}?made={final.created_at:.3f}"


def final_downloads(task_id: str, final: Final) -> str:
    """Links that save a final's sound and its subtitles."""
    paths = {"sound": final.path, **({"subtitles": final.subtitles} if "subtitles" in final.files else {})}
    return "".join(download(f"{final_url(task_id, final, kind)}&download=1", path.name) for kind, path in paths.items())


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels and values, side by side."""
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in pairs)
    return f'<dl class="cw-facts">{rows}</dl>'


def chip(word: str, tone: str = "") -> str:
    """A coloured word; a status has the tone of its name."""
    return f'<span class="cw-chip cw-{escape(tone or word)}">{escape(word)}</span>'


def button(action: str, words: str, title: str = "", value: str = "") -> str:
    """A button of a card: it fires this event with the card's id and this value."""
    more = f' data-value="{escape(value)}"' if value else ""
    more += f' title="{escape(title)}"' if title else ""
    return f'<button type="button" data-action="{action}"{more}>{escape(words)}</button>'


def actions(*buttons: str) -> str:
    """The buttons of a card, in a row."""
    return f'<div class="cw-actions">{"".join(buttons)}</div>'


def download(address: str, words: str, label: str = "") -> str:
    """A link that saves a file."""
    named = f' aria-label="{escape(label)}"' if label else ""
    return f'<a class="cw-download" href="{escape(address)}" download{named}>{escape(words)}</a>'


def files(*links: str) -> str:
    """Links to files, in a row; empty for none."""
    row = "".join(links)
    return f'<div class="cw-files">{row}</div>' if row else ""


def sound(address: str, label: str, preload: str = "metadata", attributes: str = "") -> str:
    """A player; with `preload` "none" nothing is read before it plays."""
    return f'<audio controls preload="{preload}"{attributes} aria-label="{escape(label)}" src="{escape(address)}"></audio>'


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
