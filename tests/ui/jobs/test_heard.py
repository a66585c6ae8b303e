"""Speech that was heard back, as the page shows it."""

from __future__ import annotations

from cosmos_workflow.checking.comparison import compare
from cosmos_workflow.checking.verdict import Fault, HeardWord, Verdict
from cosmos_workflow.ui.jobs.heard import fault_words, marked_text, transcript


def verdict(said: str, heard: str) -> Verdict:
    words = [HeardWord(f" {word}", number, number + 1) for number, word in enumerate(heard.split())]
    return Verdict((Fault("noise", 0.5, "Noise is heard for 2.0 s.", 1.0, 3.0),), compare(said, words, "en", "base"), 4.0)


def test_words_that_differ_are_marked_and_everything_is_escaped() -> None:
    found = verdict("The <b>small</b> boat was red.", "the b small b boat was")
    shown = marked_text("", found)
    assert '<mark class="cw-missing" title="not heard">red</mark>' in shown
    assert "<b>" not in shown
    added = marked_text("", verdict("We went home.", "we went home thank you so much"))
    assert 'title="heard: thank you so much">+</mark>' in added


def test_what_was_heard_is_told_only_where_it_differs() -> None:
    assert "Heard: " in transcript(verdict("We went home.", "we went out"))
    assert transcript(verdict("We went home.", "we went home")).count("Heard:") == 0
    assert (transcript(None), marked_text("a < b", None)) == ("", "a &lt; b")


def test_a_fault_is_told_with_its_seconds() -> None:
    assert list(fault_words(verdict("We went home.", "we went home"))) == ["Noise is heard for 2.0 s. (1.0 to 3.0 s)"]
