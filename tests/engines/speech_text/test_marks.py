"""Pauses in a text, and words that are said otherwise than they are written."""

from __future__ import annotations

import pytest

from cosmos_workflow.engines.speech_text.marks import Segment, check_pauses, split_pauses, without_marks
from cosmos_workflow.engines.speech_text.pronunciations import as_text, ipa_words, parse_list, pronounce
from cosmos_workflow.errors import InputError


def test_pauses_divide_a_text() -> None:
    assert split_pauses("One.[pause:1.5] Two. [PAUSE: 2s][pause:0.25]") == [
        Segment("One.", 1.5),
        Segment("Two.", 2.0),
        Segment("", 0.25),
    ]
    assert split_pauses("[pause:1] One.") == [Segment("", 1.0), Segment("One.")]
    assert split_pauses("None at all") == [Segment("None at all")]
    assert without_marks("One. [pause:1.5] [Nguyen](/nwin/) came.") == "One. Nguyen came."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pause]", "isn't a pause; write"),
        ("[pause:long]", "isn't a pause; write"),
        ("[pause:-1]", "isn't a pause; write"),
        ("[pause:61]", "at most 60 seconds"),
        ("a [pause:1", "isn't a pause; write"),
    ],
)
def test_a_wrong_pause_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_pauses(text)
    check_pauses("[pause:60] [paused] pause:3")


def test_words_are_respelt_whole_and_the_longest_wins() -> None:
    entries = parse_list({"GIF": "jif", "GIF file": "jif document", "nguyen": "/nwin/", "US": "U S", "lead": "led"})
    assert pronounce("A GIF, GIFs and a GIF file.", entries) == "A jif, GIFs and a jif document."
    assert pronounce("Nguyen met us in the US.", entries) == "[Nguyen](/nwin/) met us in the U S."
    assert pronounce("Lead is heavy.", entries) == "led is heavy."
    assert pronounce("[lead](/lid/) the way [pause:1]", entries) == "[lead](/lid/) the way [pause:1]"
    assert ipa_words(entries) == ["nguyen"]


def test_a_list_is_text_and_back() -> None:
    text = as_text(parse_list("Nguyen: /nwin/\n\nGIF:  jif \n"))
    assert text == "GIF: jif\nNguyen: /nwin/"
    assert as_text(parse_list(text)) == text
    assert parse_list("") == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("GIF", "write the word, a colon"),
        ("GIF:", "isn't right"),
        ("Nguyen: /nwin", "isn't IPA"),
        ({"GIF": 3}, "write a word and how it is said"),
        (3, "isn't a list of words"),
        ("a: [pause:1]", "isn't right"),
    ],
)
def test_a_wrong_list_is_refused(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_list(value)
