"""Job files that say how their texts are spoken: numbers, pronunciations, pauses."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.document.schema import Audio
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.plan import pieces_of
from cosmos_workflow.jobs.speech.assembly import final_state, pauses_of
from cosmos_workflow.jobs.speech.chunks import Piece
from cosmos_workflow.yaml_places import JobFileError

from .conftest import job_of

HEAD = """job: story
engine: espeak
normalize_text: true
pronunciations: {GIF: jif, Pell: pel}
"""


def digests(text: str) -> list[str]:
    task = parse_job(text).tasks[0]
    return [piece.digest for piece in pieces_of(task, {}, lambda _: "")]


def test_the_nearer_level_wins_and_lists_add_up() -> None:
    job = parse_job(
        HEAD + "tasks:\n  - text: One\n  - text: Two\n    normalize_text: false\n    pronunciations: {Pell: pell, Ida: eye da}\n"
    )
    first, second = (task.voices[""].params for task in job.tasks)
    assert (first["normalize_text"], first["pronunciations"]) == (True, "GIF: jif\nPell: pel")
    assert (second["normalize_text"], second["pronunciations"]) == (False, "GIF: jif\nIda: eye da\nPell: pell")


@pytest.mark.usefixtures("tone")
def test_an_engine_that_doesnt_speak_takes_no_notice() -> None:
    text = "engine: tone\nnormalize_text: true\npronunciations: {GIF: jif}\ntext: One\n"
    assert "pronunciations" not in parse_job(text).tasks[0].voices[""].params


def test_what_is_wrong_has_its_place() -> None:
    with pytest.raises(JobFileError) as found:
        parse_job("engine: espeak\nnormalize_text: maybe\npronunciations: {GIF: 3}\ntext: One\n")
    said = str(found.value)
    assert "line 2: normalize_text" in said
    assert "true or false" in said
    assert "how they are said" in said


def test_ipa_is_refused_where_the_engine_takes_none() -> None:
    with pytest.raises(JobFileError, match="espeak: pronunciations: it takes no IPA"):
        parse_job("engine: espeak\npronunciations: {Ida: /aida/}\ntext: Ida came.\n")


def test_only_pieces_that_are_spoken_otherwise_are_made_again() -> None:
    body = "chunking: {target: 20, max: 20, min: 0}\ntext: One GIF. One hundred.\n"
    first, second = digests("engine: espeak\n" + body)
    changed = digests("engine: espeak\npronunciations: {GIF: jif}\n" + body)
    assert changed[0] != first
    assert changed[1] == second


def test_a_piece_is_cut_by_what_is_spoken() -> None:
    text = "It cost $1,234,567.89, then $2,345,678.91, then $3,456,789.12, then $4,567,891.23, and $5,678,912.34 in all."
    chunks = parse_job(f"engine: kokoro\nparams: {{voice: af_heart}}\ntext: {text}\n").tasks[0].chunks
    assert len(chunks) > 1
    assert " ".join(chunk.text for chunk in chunks) == text
    assert [chunk.break_after for chunk in chunks][-1] == ""


def test_pauses_of_the_text_stand_in_place_of_the_usual_ones() -> None:
    pieces = [
        Piece("rs_1", Path(), "One.", break_after="sentence", pause=1.5),
        Piece("rs_2", Path(), "Two.", break_after="paragraph"),
        Piece("rs_3", Path(), "Three.", pause=0.5),
    ]
    assert pauses_of(pieces, Audio()) == [1.5, 0.8, 0.5]
    plain = [Piece(piece.run_id, piece.path, piece.text, break_after=piece.break_after) for piece in pieces]
    assert final_state(pieces, Audio()) != final_state(plain, Audio())


def test_a_job_with_a_pause_has_it_in_its_sound_and_not_in_its_subtitles(
    manager: JobManager, orchestrator: TaskOrchestrator
) -> None:
    job = job_of(manager, 'engine: espeak\ntext: "[pause:0.5] One. [pause:2] Two costs $5."\nnormalize_text: true\n')
    orchestrator.run(job)
    final = orchestrator.report(job).tasks[0].final
    assert final is not None
    samples, rate = soundfile.read(final.path)
    start = round((final.starts[1] - 1.9) * rate)
    assert not samples[start : start + round(1.8 * rate)].any()
    assert "pause" not in final.subtitles.read_text()
    assert "$5" in final.subtitles.read_text()
