"""A library to begin with, so that the first click already makes something."""

from __future__ import annotations

from cosmos_workflow.config import assets_dir
from cosmos_workflow.files import file_errors
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.store.store import Store

CLIP = "samples/street.mp4"
TEXTS = (
    ("Welcome", "Welcome to Cosmos Workflow. Everything you hear was made on your own machine."),
    ("Good morning", "Good morning. Three speakers are in the queue, and one model serves them all."),
    ("Good night", "Good night. Close the page if you like; the queue goes on without it."),
)
CLIPS = (
    ("Street, rain", "The same street on a rainy evening, neon signs mirrored on the wet asphalt."),
    ("Street, snow", "The same street on a winter morning, fresh snow on the roofs."),
)


def add_samples(store: Store, owner: str = LOCAL) -> None:
    """Put the samples into a library that was never used; once, so that what a person deletes stays deleted."""
    marker = store.inputs.folder(owner) / ".samples"
    if marker.exists():
        return
    if not store.prompts.count(owner):
        prompts = [Prompt(text, name=name) for name, text in TEXTS]
        clip = assets_dir() / CLIP
        if clip.is_file():
            prompts += [Prompt(text, {"video": str(clip)}, name=name) for name, text in CLIPS]
        store.prompts.save(prompts, owner)
    with file_errors(f"The workspace {store.workspace.root}"):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
