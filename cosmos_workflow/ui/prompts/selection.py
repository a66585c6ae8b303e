"""What the page asks of the library beyond what the store answers."""

from __future__ import annotations

from collections.abc import Collection

from cosmos_workflow.engines.registry import all_engines
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.store import Store

FILTERS = [("All prompts", "all"), ("Text only", "text"), ("With a clip", "video"), ("With a sound", "audio")]
"""Label and name of each filter of the library."""


def input_kinds() -> dict[str, str]:
    """The inputs that the installed engines take: name to kind."""
    return {spec.name: spec.kind for engine in all_engines() for spec in engine.inputs}


def matching_prompts(store: Store, owner: str, search: str, kind: str) -> list[Prompt]:
    """The prompts of a search and a filter, newest first."""
    found = store.prompts.list(owner, search)
    if kind == "all":
        return found
    kinds = input_kinds()
    if kind == "text":
        return [prompt for prompt in found if not prompt.inputs]
    return [prompt for prompt in found if any(kinds.get(name) == kind for name in prompt.inputs)]


def chosen_prompts(store: Store, ids: Collection[str], owner: str) -> list[Prompt]:
    """The selected prompts, in the order in which the library lists them; raises InputError where none is left of them."""
    wanted = frozenset(ids or ())
    found = [prompt for prompt in store.prompts.list(owner) if prompt.id in wanted] if wanted else []
    if not found:
        raise InputError("No prompt is selected; tick at least one in the library.")
    return found
