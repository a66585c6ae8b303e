"""What is known of a run, in words. No gradio, no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui.text import Facts, clock, count, plain, precise_seconds, recipe_facts


def run_facts(run: RunRecord, names: Mapping[str, str] = MappingProxyType({})) -> Facts:
    """What is known of a run, as label and value, in the order in which a person asks; `names` has its input files' own names."""
    facts = [("Status", str(run.status)), *recipe_facts(run.engine, run.params, run.weights, run.inputs, names)]
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
    facts += [(str(name).replace("_", " ").capitalize(), plain(value)) for name, value in run.metadata.items()]
    return [*facts, ("Run", run.id)]
