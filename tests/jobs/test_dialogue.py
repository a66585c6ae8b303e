"""Quoted speech goes to a second voice, by the marks of the text's language."""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.speech.dialogue import mark_dialogue


def spoken(text: str, language: str) -> list[str]:
    """What the second voice says."""
    return re.findall(r"<speaker:d>(.*?)<speaker:default>", mark_dialogue(text, "d", language), re.DOTALL)


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("en", "“Climb,” she said, “and don't look down.” He did.", ["“Climb,”", "“and don't look down.”"]),
        ("en", 'He said "wait" twice.', ['"wait"']),
        ("de", "„Warte“, sagte er. »Und schweig.«", ["„Warte“", "»Und schweig.«"]),
        ("fr", "« Attends », dit-il. Elle rit.", ["« Attends »"]),
        ("fr", "— Attends, dit-il.", ["— Attends, dit-il."]),
        ("es", "—Espera —dijo él—. No mires.", ["—Espera", "No mires."]),
        ("ja", "彼は「待て」と言った。", ["「待て」"]),
        ("pl", "„Czekaj” — powiedział.", ["„Czekaj”"]),
        ("ru", "— Жди, — сказал он. — Не смотри.", ["— Жди,", "Не смотри."]),
        ("en", "“It goes on\n\n“and on.” Then not.", ["“It goes on", "“and on.”"]),
        ("en", "A mark “that nobody closes.\n\nAnother paragraph.", []),
        ("en", "“...”", []),
        ("en", "<speaker:anna> “By hand.”", []),
        ("en", "The keeper's light wasn't lit.", []),
    ],
)
def test_what_is_quoted(language: str, text: str, said: list[str]) -> None:
    assert spoken(text, language) == said


@given(st.text('ab .“”„«»"—\n「」', max_size=80), st.sampled_from(["en", "de", "fr", "es", "ja", "sv"]))
def test_nothing_is_lost_and_the_lines_stay(text: str, language: str) -> None:
    marked = mark_dialogue(text, "d", language)

    assert re.sub(r"<speaker:(?:d|default)>", "", marked) == text
    turns = re.findall(r"<speaker:(\w+)>", marked)
    assert turns == ["d", "default"] * (len(turns) // 2)


JOB = """engine: espeak
speakers:
  anna: {voice: en-us+m3}
dialogue: anna
tasks:
  - text: “Climb,” she said.
  - text: “Climb,” she said.
    dialogue: ''
"""


def test_a_job_switches_it_on_and_a_task_off() -> None:
    job = parse_job(JOB)

    assert [[(chunk.text, chunk.speaker) for chunk in task.chunks] for task in job.tasks] == [
        [("“Climb,”", "anna"), ("she said.", "")],
        [("“Climb,” she said.", "")],
    ]
    with pytest.raises(InputError, match=r"dialogue: the speaker 'ana' isn't defined \(did you mean 'anna'\?\)"):
        parse_job(JOB.replace("dialogue: anna", "dialogue: ana"))
