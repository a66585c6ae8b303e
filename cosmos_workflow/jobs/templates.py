"""Sample jobs that a new one can begin as."""

from __future__ import annotations

from dataclasses import dataclass

from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.yaml_places import Location


@dataclass(frozen=True, slots=True)
class _Template:
    """A sample job, and the files it needs beside it; `changes` say where they are then."""

    file: str
    needs: tuple[str, ...] = ()
    changes: tuple[tuple[Location, str], ...] = ()


TEMPLATES = {
    "Short texts": _Template("welcome.yaml"),
    "Two speakers": _Template("dialogue.yaml"),
    "A chapter of a book": _Template("book.yaml", ("jobs/book.txt",)),
    "Control clips": _Template("controls.yaml", ("samples/street.mp4",), ((("inputs", "video"), "street.mp4"),)),
    "A narrated video": _Template("sky.yaml"),
}


def text_of_template(name: str, jobs: JobStore) -> str:
    """The text of a template's job file, with the files that it needs beside the jobs. Raises InputError for an unknown one."""
    found = TEMPLATES.get(name)
    if found is None:
        raise InputError(f"There is no template {shorten(name)}; use {list_choices(list(TEMPLATES))}.")
    for needed in found.needs:
        source = assets_dir() / needed
        if not (jobs.folder / source.name).exists():
            jobs.take_in(source, source.name)
    text = (assets_dir() / "jobs" / found.file).read_text(encoding="utf-8")
    return set_values(text, dict(found.changes))
