"""What jobs look like in words: a snapshot in, display values out. No gradio, no HTML."""

from __future__ import annotations

from pathlib import Path

from cosmos_workflow.errors import list_choices
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.jobs.background import BackgroundState
from cosmos_workflow.jobs.snapshots import JobEntry, JobsSnapshot
from cosmos_workflow.jobs.state import TaskReport, TaskStatus
from cosmos_workflow.ui.text import count, engine_title, left_text, precise_seconds, shorten_text
from cosmos_workflow.yaml_places import Problem


def run_mode_text(jobs: JobsSnapshot) -> tuple[str, str]:
    """What the background does, in a word or two and in a sentence."""
    state = jobs.background
    if state.asks:
        return "Run mode was on", "when the program ended. Go on where it stopped?"
    if state.running:
        return _running_text(jobs, state)
    if state.on:
        return "Run mode is on", "and looks for the next job."
    # A message may have several lines: a wrong file's problems.
    lines = state.message.splitlines()
    message = f"{lines[0]} (and {count(len(lines) - 1, 'more line')})" if len(lines) > 1 else state.message
    return "Run mode is off.", message or "Switch it on, and every enabled job is worked off in order, without any page."


def jobs_text(jobs: JobsSnapshot) -> str:
    """The job that runs, for the header: "Job welcome 48 %"; empty where none does."""
    entry = jobs.entry(jobs.background.running) if jobs.background.running else None
    if entry is None or entry.report is None:
        return ""
    return f"Job {shorten_text(entry.stored.name, 30)} {entry.report.progress:.0%}".replace("%", " %")


def _running_text(jobs: JobsSnapshot, state: BackgroundState) -> tuple[str, str]:
    entry = jobs.entry(state.running)
    name = shorten_text(entry.stored.name if entry else state.running, 60)
    snapshot = state.snapshot
    parts = [entry.report.label] if entry and entry.report else []
    if snapshot and snapshot.state is RunnerState.HELD:
        parts.append(f"on hold: {snapshot.reason}")
    elif snapshot and snapshot.state is RunnerState.PAUSING:
        parts.append("stopping after this batch")
    elif state.running in jobs.left:
        parts.append(left_text(jobs.left[state.running]))
    if state.waiting:
        parts.append(f"{count(len(state.waiting), 'job')} asked for")
    if state.message:
        parts.append(state.message)
    mode = "run mode is on" if state.on else "run mode is off"
    return f"Working on {name}", f"{', '.join([*parts, mode])}."


def job_text(entry: JobEntry) -> str:
    """A line about a job: its tasks and engines, or what is wrong with its file."""
    if entry.report is None:
        lines = entry.stored.problem.splitlines()
        # The name of the file stands in the row already.
        first = lines[0].split(f"{entry.stored.path.name}:", 1)[-1]
        return f"{first} (and {len(lines) - 1} more)" if len(lines) > 1 else first
    tasks = entry.report.job.tasks
    engines = dict.fromkeys(engine_title(task.engine) for task in tasks)
    return " · ".join([count(len(tasks), "task"), *engines])


def task_text(report: TaskReport, engine: bool) -> str:
    """A line about a task."""
    task = report.task
    parts = [engine_title(task.engine)] if engine else []
    if len(report.pieces) > 1:
        parts.append(count(len(report.pieces), "piece"))
    if task.candidates.count > 1:
        parts.append(count(task.candidates.count, "candidate"))
    if task.needs:
        parts.append(f"takes from {list_choices([need.title for need in task.needs])}")
    if report.final:
        parts.append(precise_seconds(report.final.seconds) + " of sound")
    return " · ".join(parts)


def inputs_text(report: TaskReport) -> str:
    """The inputs of a task, each with its file or the task that makes it; those of its speakers with their names."""
    parts: list[str] = []
    for speaker, voice in report.task.voices.items():
        own = f"{speaker}'s " if speaker else ""
        shared = report.task.voices[""] if speaker else None
        for name, path in voice.inputs.items():
            if shared is None or shared.inputs.get(name) != path:
                parts.append(f"{own}{name}: {Path(path).name}")
        for name, source in voice.sources.items():
            if shared is None or shared.sources.get(name) != source:
                output = f" ({source.output})" if source.output else ""
                parts.append(f"{own}{name}: from the task {source.task.title}{output}")
    return ", ".join(parts)


def task_note(report: TaskReport) -> str:
    """What a person should know of a task beside its status: while it runs, not what is still missing."""
    if report.status in (TaskStatus.NEW, TaskStatus.COMPLETED):
        return report.waits or (f"{count(len(report.listen), 'piece')} to listen to" if report.listen else "")
    return report.message.partition("; missing")[0] if report.status is TaskStatus.RUNNING else report.message


def state_note(jobs: JobsSnapshot, row_id: str, message: str = "") -> str:
    """What stands below a status: the time left, or what is missing."""
    left = jobs.left.get(row_id)
    return "; ".join(part for part in (message, left_text(left) if left else "") if part)


def problem_row(problem: Problem) -> dict[str, object]:
    """A problem for the list below the editor; one in a file that the job names has no line in the editor."""
    own = not problem.file
    where = f"line {problem.place.line}, column {problem.place.column}"
    return {
        "line": problem.place.line if own else 0,
        "column": problem.place.column,
        "where": where if own else f"{Path(problem.file).name}, {where}",
        "key": problem.key,
        "message": problem.message,
    }
