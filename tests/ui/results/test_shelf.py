"""What jobs have made, as it stands above the loose results."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support import DEADLINE

from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.speech.along import read_along
from cosmos_workflow.jobs.speech.assembly import finals
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.results.cards import shelf_card
from cosmos_workflow.ui.results.shelf import Shelves, shelf_of, shown_runs

GREETINGS = """job: <b>Greetings</b>
engine: espeak
tasks:
  - {name: Morning, text: Good morning.}
  - {name: Night, text: Good night & sleep well.}
"""


@pytest.fixture
def manager(operations: Operations) -> Iterator[JobManager]:
    managers = JobManagers(operations)
    yield managers.of("local")
    managers.close()


def test_any_jobs_finals_stand_on_the_shelf_and_its_pieces_are_folded(manager: JobManager, operations: Operations) -> None:
    job_id = manager.create("Greetings", GREETINGS).id
    manager.create("Later", "engine: espeak\ntext: Not made.")
    assert shelf_of(manager, manager.snapshot()) == []
    manager.background.run_now(job_id)
    assert manager.background.join(DEADLINE)
    manager.look_again()
    (one,) = shelf_of(manager, manager.snapshot())
    card = shelf_card(one, opened=False)
    assert card["id"] == job_id
    assert "2 results" in card["html"]
    assert card["html"].count("<audio") == 2
    assert "night-001.srt" in card["html"]
    assert "<b>" not in card["html"]
    assert "data-along" not in card["html"]  # nobody measured when each word is said
    assert one.matches("night", "espeak")
    assert not one.matches("noon", "")
    assert not one.matches("", "kokoro")
    assert operations.store.runs.count("local", **shown_runs(Shelves(lambda _owner: manager).folded("local"))) == 0
    assert operations.store.runs.count("local", **shown_runs(Shelves(lambda _owner: manager).folded("local"), job_id)) == 2


def test_a_job_of_which_nothing_is_whole_says_what_can_be_heard(manager: JobManager) -> None:
    text = "engine: espeak\ntasks:\n  - name: both\n    text: |\n      One.\n\n      Two.\n"
    job_id = manager.create("Night", text).id
    manager.background.run_now(job_id)
    assert manager.background.join(DEADLINE)
    manager.update(job_id, text.replace("Two.", "Three."))
    (final,) = finals(manager.jobs.task_folder(f"{job_id}/both"))
    assert [[word for word, _ in piece["words"]] for piece in read_along(final)] == [["One."], ["Two."]]
    (one,) = shelf_of(manager, manager.snapshot())
    assert "It is from before the last change." in shelf_card(one, opened=True)["html"]
    final.path.unlink()
    manager.look_again()
    (one,) = shelf_of(manager, manager.snapshot())
    html = shelf_card(one, opened=True)["html"]
    assert "Nothing is put together yet; 1 piece can be heard." in html
    assert re.search('aria-expanded="true">Hide its pieces', html)
