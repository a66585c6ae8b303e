"""The sample library: what a new workspace holds, so that there is something to press Start on."""

from __future__ import annotations

from cosmos_workflow.config import assets_dir
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.store import LOCAL, Store

SPEECH = (
    ("Good morning", "Good morning. It is a quarter past seven, the kettle is on, and the night's work is done."),
    ("Weather", "A light wind from the west, nine degrees by noon, and rain before the evening."),
    ("Last train", "The last train to the harbour leaves from platform two. Please mind the gap."),
)
CLIPS = (
    ("Street, rainy night", "A street at night in heavy rain, neon signs mirrored in the wet asphalt, slow camera."),
    ("Street, first snow", "The same street under the first snow of the year, early light, soft shadows."),
)


def add_samples(store: Store, owner: str = LOCAL) -> list[Prompt]:
    """Put the samples into a library that has never held anything; who deletes them doesn't get them back."""
    if store.count_prompts(owner) or store.list_inputs(owner):
        return []
    clip = store.add_input(assets_dir() / "samples" / "street.mp4", "street.mp4", owner)
    spoken = [Prompt(text, name=name) for name, text in SPEECH]
    filmed = [Prompt(text, {"video": str(clip)}, name=name) for name, text in CLIPS]
    return store.save_prompts([*spoken, *filmed], owner)
