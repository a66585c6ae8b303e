"""Pieces of HTML of the Results tab: cards with buttons, and everything known of a run."""

from __future__ import annotations

from collections.abc import Mapping

from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.waveforms import Waveform
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.heard import fault_list, score_text, waveform
from cosmos_workflow.ui.markup import Row, sub
from cosmos_workflow.ui.text import Facts, clock, count, plain, precise_seconds, recipe_facts

ACTIONS = (
    ("open", "Details", "Everything known of this result"),
    ("reuse", "Reuse as the one prompt", "Select its prompt, and no other, and put its parameters into the form"),
    ("again", "Queue again", "Queue it at once, with the same parameters"),
)
"""Buttons of a card: event, words, and what they do."""


def result_card(run: RunRecord, shape: Waveform | None = None, verdict: Verdict | None = None) -> Row:
    """A result with its player; a sound with its picture, and with its score and its faults where it was heard back."""
    faults = verdict.faults if verdict else ()
    heard = f"{sub(score_text(verdict))}{fault_list(faults)}" if verdict else ""
    return markup.run_card(run, f"{heard}{_actions(run)}", waveform(shape, faults))


def run_details(run: RunRecord, names: Mapping[str, str]) -> str:
    """Everything known of a run, and its files; `names` has its input files' own names."""
    files = markup.files(*(markup.output_download(run, key, f"{key}: {name}") for key, name in run.outputs.items()))
    words = f"{markup.text_block(run.prompt_text)}{markup.error_line(run.error)}"
    return f"{words}{markup.facts(run_facts(run, names))}{files}{markup.traceback(run)}"


def _actions(run: RunRecord) -> str:
    key, _kind = markup.main_output(run)
    buttons = [markup.button(action, words, title) for action, words, title in ACTIONS]
    save = markup.output_download(run, key, "Download") if key else ""
    return markup.actions(*buttons, save, markup.button("remove", "Delete"))


def run_facts(run: RunRecord, names: Mapping[str, str]) -> Facts:
    """What is known of a run, as label and value, in the order in which a person asks; `names` has its input files' own names."""
    happened = {
        "Batch": f"{run.batch_id or 'none'}, {count(run.batch_size, 'item')}",
        "Device": run.device,
        "Queued": clock(run.queued_at),
        "Started": clock(run.started_at) if run.started_at else "",
        "Took": "" if run.seconds is None else precise_seconds(run.seconds),
        "Loading": precise_seconds(run.load_seconds) if run.load_seconds else "",
    }
    known = [(str(name).replace("_", " ").capitalize(), plain(value)) for name, value in run.metadata.items()]
    facts = [("Status", str(run.status)), *recipe_facts(run.engine, run.params, run.weights, run.inputs, names)]
    return [*facts, *((label, words) for label, words in happened.items() if words), *known, ("Run", run.id)]
