"""Pieces of HTML for jobs: rows, states, takes and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.jobs.plan import CheckedJob
from cosmos_workflow.jobs.reports import TaskReport
from cosmos_workflow.jobs.snapshots import JobsSnapshot, PieceTakes
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.status import TaskStatus, status_label
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.waveforms import Waveform
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.heard import fault_list, marked_text, score_text, transcript, waveform
from cosmos_workflow.ui.jobs import view
from cosmos_workflow.ui.markup import Row
from cosmos_workflow.ui.page_view import Window
from cosmos_workflow.ui.text import clock, count, engine_title, precise_seconds, shorten_text

TONES: Mapping[TaskStatus, str] = {
    TaskStatus.NEW: "queued",
    TaskStatus.RUNNING: "running",
    TaskStatus.PARTIAL: "partial",
    TaskStatus.COMPLETED: "succeeded",
    TaskStatus.FAILED: "failed",
}
SHOWN_BATCHES = 20


def jobs_table(jobs: JobsSnapshot, window: Window, opened: Sequence[str]) -> dict[str, Any]:
    """Jobs and, below each, its tasks: the rows of `window`; `opened` are those that are looked at."""
    empty = "There is no job yet. Make one from a template, or upload a YAML file."
    return markup.table_value(["Job", "Status"], list(_rows(jobs, opened))[window.rows], empty, window)


def count_rows(jobs: JobsSnapshot) -> int:
    """How many rows all jobs and tasks have."""
    return sum(1 + len(entry.report.tasks if entry.report else ()) for entry in jobs.entries)


def states(jobs: JobsSnapshot) -> dict[str, Any]:
    """What the status column says, by row."""
    rows: dict[str, str] = {}
    for entry in jobs.entries:
        job_id = entry.stored.id
        if entry.report is None:
            rows[job_id] = markup.chip("wrong", "failed")
            continue
        waiting = "its turn comes" if job_id in jobs.background.waiting else ""
        rows[job_id] = _state(entry.report.status, entry.report.progress, view.state_note(jobs, job_id, waiting))
        for task in entry.report.tasks:
            note = view.state_note(jobs, task.task.id, view.task_note(task))
            rows[task.task.id] = _state(task.status, task.progress, note)
    return {"version": jobs.number, "rows": rows}


def _rows(jobs: JobsSnapshot, opened: Sequence[str]) -> Iterator[Row]:
    for entry in jobs.entries:
        job_id, name = entry.stored.id, shorten_text(entry.stored.name, 80)
        chips = _chip("off", not entry.stored.enabled and entry.report is not None)
        chips += _chip("unsaved changes", job_id in jobs.drafts)
        kind = "cw-job" if entry.report else "cw-job cw-wrong-file"
        yield _row(job_id, name, chips, view.job_text(entry), kind, job_id in opened)
        tasks = entry.report.tasks if entry.report else ()
        many = len({task.task.engine for task in tasks}) > 1
        for report in tasks:
            title, chips = shorten_text(report.task.title, 80), _chip("off", not report.task.enabled)
            yield _row(report.task.id, title, chips, view.task_text(report, many), "cw-task", report.task.id in opened)


def _row(row_id: str, title: str, chips: str, note: str, kind: str, is_open: bool) -> Row:
    current = ' aria-current="true"' if is_open else ""
    cells = f'{markup.main_cell(title, chips + markup.sub(note), kind, current)}<td role="cell" class="cw-state" data-live></td>'
    return {"id": row_id, "html": cells, "name": title}


def _chip(word: str, shown: bool) -> str:
    return f' <span class="cw-file">{word}</span>' if shown else ""


def _state(status: TaskStatus, progress: float, note: str) -> str:
    tone, label = TONES[status], status_label(status, progress)
    bar = ""
    if status is not TaskStatus.NEW:
        percent = int(100 * progress)
        bar = (
            f'<span class="cw-mini cw-mini-{tone}" role="progressbar" aria-label="progress" aria-valuemin="0" '
            f'aria-valuemax="100" aria-valuenow="{percent}"><span style="width:{percent}%"></span></span>'
        )
    return f"{markup.chip(label, tone)}{bar}{markup.sub(note)}"


def run_mode(jobs: JobsSnapshot) -> str:
    """What the background does."""
    word, sentence = view.run_mode_text(jobs)
    tone = "held" if jobs.background.asks else "active" if jobs.background.running else "calm"
    return markup.note(sentence, tone, word)


def editor_heading(job_id: str, name: str, unsaved: bool) -> str:
    """The name of the job in the editor, and its file."""
    link = markup.download(f"job-files/{quote(job_id)}", f"Download {job_id}.yaml")
    return f'<div class="cw-job-head"><h2>{escape(name)}{_chip("unsaved changes", unsaved)}</h2>{link}</div>'


def plan(checked: CheckedJob) -> str:
    """What a text would do: tasks, pieces, batches with why each is apart, and the time."""
    tasks, wanted, number = checked.plan.tasks, checked.plan.wanted, len(checked.batches)
    rest = f"{count(len(tasks), 'task')}, {count(sum(len(task.pieces) for task in tasks), 'piece')}"
    head = "Nothing is left to make"
    if wanted:
        head = f"{wanted:,} to make in {number:,} batch{'' if number == 1 else 'es'}"
        rest += f"; time: {checked.time}"
    rows = [
        (f'<span class="cw-number">{place}</span>', len(batch), engine_title(batch.engine), reason.replace("_", " "))
        for place, (batch, reason) in enumerate(checked.batches[:SHOWN_BATCHES], 1)
    ]
    return markup.note(f"{rest}.", strong=head) + markup.batch_list(rows, number - SHOWN_BATCHES)


def task_heading(report: TaskReport) -> str:
    """The name of a task, and where it is."""
    chip = markup.chip(report.label, TONES[report.status])
    stale = "" if report.current or not report.final else " The final below is from before the last change."
    inputs = view.inputs_text(report)
    return (
        f'<div class="cw-job-head"><h2>{escape(shorten_text(report.task.title, 120))}</h2>{chip}</div>'
        f"{markup.note(f'{report.message}.{stale}')}" + (f'<p class="cw-sub">Inputs: {escape(inputs)}.</p>' if inputs else "")
    )


def finals(report: TaskReport) -> dict[str, Any]:
    """The finals of a task, newest first; those before it are folded into one card, which a click opens."""
    made = [_final(report, final, final is report.final) for final in reversed(report.finals)]
    rows = [{"id": "newest", "html": made[0]}] if made else []
    if earlier := made[1:]:
        summary = f"<summary>{count(len(earlier), 'earlier final')}</summary>"
        rows.append({"id": "earlier", "html": f"<details>{summary}{''.join(earlier)}</details>"})
    empty = "No final yet: it is put together when every piece is there." if report.task.joined else "Its result is below."
    return {"rows": rows, "empty": empty}


def _final(report: TaskReport, final: Final, newest: bool) -> str:
    source, label = (
        markup.final_url(report.task.id, final, "sound"),
        f"Final {final.number} of {shorten_text(report.task.title, 60)}",
    )
    note = f'<p class="cw-sub">{escape(final.note)}</p>' if final.note else ""
    word = "Final" if newest else "Earlier final"
    facts = f"{clock(final.created_at)} · {precise_seconds(final.seconds)} · {count(len(final.runs), 'piece')}"
    player = markup.sound(source, label, "metadata" if newest else "none")
    saves = markup.final_downloads(report.task.id, final)
    return f"{markup.card_head(f'{word} {final.number}')}{markup.sub(facts)}{note}{player}{markup.files(saves)}"


def piece_card(report: TaskReport, index: int, found: PieceTakes, waveform_of: Callable[[RunRecord], Waveform | None]) -> Row:
    """A piece with its text, the take that is used, and the others with their scores."""
    piece, used = report.pieces[index], report.chosen[index]
    chunk = piece.chunk
    word, tone = _piece_state(report, index)
    name = f"Piece {index + 1}" + (f" · {chunk.speaker}" if chunk.speaker else "")
    head = markup.card_head(name, markup.chip(word, tone))
    error = "" if used else markup.error_line(piece.error)
    takes, verdict = "", None
    for run, heard in found.runs:
        is_used = used is not None and run.id == used.id
        verdict = heard if is_used else verdict
        takes += _take(run, heard, waveform_of(run), is_used, several=len(found.runs) > 1)
    accepted = "It is good as it is: don't ask for an ear again"
    actions = markup.actions(
        markup.button("use", "Accept", accepted, used.id) if used and index in report.listen else "",
        markup.button("again", "Make again", "Make one more take"),
        markup.button("auto", "Use the best", "Let the scores decide again") if found.by_hand else "",
        f'<button type="button" data-edit="{escape(chunk.text)}" title="Change what is said">Edit the text</button>',
    )
    text = marked_text(chunk.text, verdict, f"Text of piece {index + 1}")
    html = f'{head}{text}{transcript(verdict)}{error}<div class="cw-takes">{takes}</div>{actions}'
    return {"id": str(index), "html": html}


def _piece_state(report: TaskReport, index: int) -> tuple[str, str]:
    piece = report.pieces[index]
    if any(take.running for take in piece.takes):
        return "running", "running"
    if index in report.listen:
        return "to listen to", "partial"
    if report.chosen[index]:
        return "done", "succeeded"
    return ("failed", "failed") if piece.failed else ("missing", "queued")


def _take(run: RunRecord, verdict: Verdict | None, shape: Waveform | None, used: bool, *, several: bool) -> str:
    words = []
    if several and "seed" in run.params:
        words.append(f"seed {run.params['seed']}")
    elif several and "speed" in run.params:  # what a voice without a seed changes from take to take
        words.append(f"speed {run.params['speed']:g}")
    if verdict is not None:
        words.append(score_text(verdict))
    button = ""
    if several:
        button = markup.chip("used", "running") if used else markup.button("use", "Use this take", value=run.id)
    note = markup.sub(" · ".join(words)) if words else ""
    kind = "cw-take cw-used" if used else "cw-take"
    faults = verdict.faults if verdict else ()
    return (
        f'<div class="{kind}">{waveform(shape, faults)}{markup.player(run)}{fault_list(faults)}'
        f'<div class="cw-take-words">{note}{button}</div></div>'
    )
