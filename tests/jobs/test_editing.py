"""Another text for a piece, written where the piece comes from."""

from __future__ import annotations

import pytest

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.editing import edit_piece, replaced
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.yaml_places import JobFileError

INLINE = """# mine
engine: espeak  # this one
tasks:
  - text: Something else.
  - name: both
    text: |
      One and
      the same.

      One and the same.
"""


def test_the_piece_that_is_meant_gets_the_text_and_everything_else_stays(workspace: Workspace) -> None:
    jobs = JobStore(workspace, LOCAL)
    jobs.save("night", INLINE)
    job = jobs.get("night").job
    assert job
    assert edit_piece(jobs, job, job.tasks[1], 1, " Another\n one. ")
    assert jobs.source("night") == INLINE.replace("\n      One and the same.\n", "\n      Another one.\n")
    job = jobs.get("night").job
    assert job
    assert [chunk.text for chunk in job.tasks[1].chunks] == ["One and the same.", "Another one."]
    assert not edit_piece(jobs, job, job.tasks[1], 1, "Another one.")


def test_a_text_file_is_changed_where_the_piece_stands_and_kept_where_the_job_would_be_wrong(workspace: Workspace) -> None:
    jobs = JobStore(workspace, LOCAL)
    book = jobs.folder / "book.txt"
    book.write_text("First.\n\nSecond   one.\n", encoding="utf-8")
    jobs.save("night", "engine: espeak\ntext_file: book.txt\n")
    job = jobs.get("night").job
    assert job
    with pytest.raises(JobFileError, match="speaker"):
        edit_piece(jobs, job, job.tasks[0], 1, "<speaker:nobody> speaks.")
    assert book.read_text(encoding="utf-8") == "First.\n\nSecond   one.\n"
    assert edit_piece(jobs, job, job.tasks[0], 1, "The last.")
    assert book.read_text(encoding="utf-8") == "First.\n\nThe last.\n"


def test_what_is_not_there_is_told_in_a_sentence(workspace: Workspace) -> None:
    jobs = JobStore(workspace, LOCAL)
    jobs.save("night", INLINE)
    job = jobs.get("night").job
    assert job
    with pytest.raises(InputError, match="needs a text"):
        edit_piece(jobs, job, job.tasks[1], 0, "  ")
    with pytest.raises(InputError, match="isn't there any more"):
        edit_piece(jobs, job, job.tasks[1], 7, "New.")
    with pytest.raises(InputError, match="isn't in the text"):
        replaced("I", ["I. Then"], 0, "New.")
