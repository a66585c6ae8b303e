"""What is heard beside what is said: differences, rates, and writing that says the same."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.checking.comparison import compare
from cosmos_workflow.checking.verdict import HeardWord, Hearing, Verdict, verdict_of

VOCABULARY = "the river was higher than a bridge and nobody knew why seven"
WORDS = st.lists(st.sampled_from(VOCABULARY.split(" ")), max_size=12)


def heard(said: str, transcript: str, language: str = "en") -> Hearing:
    """The comparison with a transcript, whose words last 0.3 s each."""
    words = [HeardWord(f" {word}", 0.3 * number, 0.3 * number + 0.3) for number, word in enumerate(transcript.split())]
    return compare(said, words, language)


@pytest.mark.parametrize(
    ("said", "transcript", "language"),
    [
        ("The train leaves from platform five.", "the train leaves from platform 5", "en"),
        ("It is twenty five past nine; every day.", "It's 25 past 9, everyday.", "en"),
        ("He paid $1,200 for the grey colour.", "He paid one thousand two hundred dollars for the gray color.", "en"),
        ("We can't know what they\u2019re doing.", "We cannot know what they are doing.", "en"),
        ("Sie hat zwölf Äpfel.", "Sie hat 12 Äpfel!", "de"),
        ("今天早上我去河边散步。", "今天早上我去河边散步", "cmn"),
        ("", "", "en"),
    ],
)
def test_what_is_only_written_differently_is_no_difference(said: str, transcript: str, language: str) -> None:
    found = heard(said, transcript, language)
    assert (found.differences, found.word_error_rate) == ((), 0)


@pytest.mark.parametrize(
    ("said", "transcript", "kind", "words", "rate"),
    [
        ("Nobody expected the winter to last.", "Nobody expected to last", "missing", "the winter", 2 / 6),
        ("Hello there. We went home.", "Hello there we went home we went home", "repeated", "we went home", 3 / 5),
        ("We went home.", "we went home thank you for watching", "added", "thank you for watching", 4 / 3),
        ("The boat was small.", "the goat was small", "replaced", "boat", 0.25 / 4),
        ("今天早上我去河边散步。", "今天早上我去河边", "missing", "散步", 0.2),
    ],
)
def test_a_difference_is_named_with_its_words(said: str, transcript: str, kind: str, words: str, rate: float) -> None:
    found = heard(said, transcript, "cmn" if said.startswith("今") else "en")
    (difference,) = found.differences
    assert difference.kind == kind
    assert words in (difference.said, difference.heard)
    assert found.word_error_rate == pytest.approx(rate, abs=0.01)
    assert said[difference.first : difference.last] == difference.said


def test_a_name_counts_less_than_a_word_that_is_gone() -> None:
    said = "Yesterday Katharina came to the harbour."
    name = heard(said, "Yesterday Catarina came to the harbor.")
    gone = heard(said, "Yesterday came to the harbour.")
    assert 0 < name.word_error_rate < gone.word_error_rate / 2


def test_words_of_the_text_have_the_times_of_what_was_heard() -> None:
    found = heard("One small boat, 2 oars.", "one small boat two oars")
    times = {found.said[first:last]: start for first, last, start, _ in found.aligned}
    assert times == pytest.approx({"One": 0, "small": 0.3, "boat": 0.6, "2": 0.9, "oars": 1.2})


@given(WORDS, WORDS)
def test_every_difference_is_in_its_text_and_rates_add_up(one: list[str], other: list[str]) -> None:
    said = " ".join(one)
    found = heard(said, " ".join(other))
    for difference in found.differences:
        assert said[difference.first : difference.last] == difference.said
        assert difference.weight > 0
        assert 0 <= difference.start <= difference.end
    assert found.word_error_rate == pytest.approx(sum(part.weight for part in found.differences) / max(1, len(one)), abs=0.01)
    assert heard(said, said).differences == ()
    verdict = Verdict((), found, 1.0)
    assert verdict_of(asdict(verdict)) == verdict


@given(WORDS.filter(lambda words: len(words) > 2), st.data())
def test_a_dropped_word_is_always_seen(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    found = heard(" ".join(words), " ".join(words[:place] + words[place + 1 :]))
    assert sum(part.weight for part in found.differences) == pytest.approx(1)
