"""An owner's own pronunciations: kept, checked, and used by whatever is spoken."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.store.pronunciations import Pronunciations
from cosmos_workflow.store.records import LOCAL


@pytest.fixture
def own(workspace: Workspace) -> Pronunciations:
    return Pronunciations(workspace)


def test_it_is_there_again_after_a_restart(own: Pronunciations, workspace: Workspace) -> None:
    assert own.of(LOCAL) == ""
    assert own.save(LOCAL, "Pell :  pel\n\nGIF: jif") == "GIF: jif\nPell: pel"
    assert Pronunciations(workspace).of(LOCAL) == "GIF: jif\nPell: pel"


def test_users_have_lists_of_their_own(own: Pronunciations) -> None:
    own.save("anna", "GIF: jif")
    own.save("../../bert", "GIF: gif")
    assert (own.of("anna"), own.of("../../bert"), own.of(LOCAL)) == ("GIF: jif", "GIF: gif", "")


def test_what_is_wrong_is_refused_and_nothing_is_lost(own: Pronunciations) -> None:
    own.save(LOCAL, "GIF: jif")
    with pytest.raises(InputError, match="Pronunciations: 'Pell' isn't right; write the word, a colon"):
        own.save(LOCAL, "Pell")
    assert own.of(LOCAL) == "GIF: jif"


@pytest.mark.parametrize("content", [b"Pell", b"Pell: \xff"])
def test_a_file_that_was_written_by_hand_is_checked(own: Pronunciations, content: bytes) -> None:
    own.path(LOCAL).write_bytes(content)
    with pytest.raises(InputError, match=r"pronunciations\.txt in the workspace: "):
        own.of(LOCAL)


def test_a_nearer_list_wins_and_an_engine_takes_what_it_can() -> None:
    words = "GIF: jif\nNguyen: /nwin/"
    said = find_engine("kokoro").with_pronunciations({"pronunciations": "GIF: gif"}, words)
    assert said["pronunciations"] == "GIF: gif\nNguyen: /nwin/"
    assert find_engine("espeak").with_pronunciations({"rate": 120}, words) == {"rate": 120, "pronunciations": "GIF: jif"}
    assert find_engine("control-preview").with_pronunciations({}, words) == {}


def test_jobs_are_spoken_by_it_from_its_next_change_on(own: Pronunciations, workspace: Workspace, tmp_path: Path) -> None:
    jobs = JobStore(workspace)
    text = "engine: espeak\npronunciations: {Ida: eye da}\ntext: Ida sent a GIF.\n"
    jobs.save("story", text)
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(text)

    def said() -> set[str]:
        stored = jobs.get("story").job
        assert stored
        return {str(job.tasks[0].voices[""].params["pronunciations"]) for job in (stored, jobs.check(text), jobs.load(elsewhere))}

    assert said() == {"Ida: eye da"}
    own.save(LOCAL, "GIF: jif\nIda: ida")
    assert said() == {"GIF: jif\nIda: eye da"}
    own.path(LOCAL).write_text("nothing")
    assert "pronunciations.txt" in jobs.get("story").problem
