"""Sample jobs that a new one can begin as."""

from __future__ import annotations

from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.jobs.store import JobStore

TEMPLATES = {
    "Short texts": ("welcome.yaml", ""),
    "Two speakers": ("dialogue.yaml", ""),
    "A chapter of a book": ("book.yaml", "jobs/book.txt"),
    "Control clips": ("controls.yaml", "samples/street.mp4"),
    "A narrated video": ("sky.yaml", ""),
}
"""By what a person reads: a sample job, and the file that it needs."""


def text_of_template(name: str, jobs: JobStore) -> str:
    """The text of a template's job file, with the file that it needs beside the jobs. Raises InputError for an unknown one."""
    if name not in TEMPLATES:
        raise InputError(f"There is no template {shorten(name)}; use {list_choices(list(TEMPLATES))}.")
    file, needed = TEMPLATES[name]
    source = assets_dir() / needed
    if needed and not (jobs.folder / source.name).exists():
        jobs.take_in(source, source.name)
    text = (assets_dir() / "jobs" / file).read_text(encoding="utf-8")
    return text.replace(f"../{needed}", source.name) if needed else text
