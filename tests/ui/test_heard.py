"""Speech that was heard back, as the page shows it."""

from __future__ import annotations

from cosmos_workflow.checking.comparison import compare
from cosmos_workflow.checking.verdict import Fault, HeardWord, Verdict
from cosmos_workflow.store.waveforms import Waveform
from cosmos_workflow.ui.heard import fault_list, marked_text, transcript, waveform

NOISE = Fault("noise", 0.5, "Noise <is> heard for 2.0 s.", 1.0, 3.0)


def verdict(said: str, heard: str) -> Verdict:
    words = [HeardWord(f" {word}", number, number + 1) for number, word in enumerate(heard.split())]
    return Verdict((NOISE,), compare(said, words, "en", "base"), 4.0)


def test_words_that_differ_are_marked_and_everything_is_escaped() -> None:
    found = verdict("The <b>small</b> boat was red.", "the b small b boat was")
    shown = marked_text("", found)
    assert 'title="not heard"><span data-at="6.00">red</span></mark>' in shown
    assert "<b>" not in shown
    added = marked_text("", verdict("We went home.", "we went home thank you so much"))
    assert 'title="heard: thank you so much"><span data-at="3.00">+</span>' in added


def test_every_word_that_was_heard_is_played_from_its_own_second() -> None:
    shown = marked_text("", verdict("We went home.", "we came home"))
    assert [f'<span data-at="{second}.00">' in shown for second in (0, 1, 2)] == [True] * 3
    assert '<mark class="cw-replaced" title="heard: came"><span data-at="1.00">went</span></mark>' in shown


def test_what_was_heard_is_told_only_where_it_differs() -> None:
    assert "Heard:" in transcript(verdict("We went home.", "we went out"))
    assert transcript(verdict("We went home.", "we went home")) == ""
    assert (transcript(None), "a &lt; b" in marked_text("a < b", None)) == ("", True)


def test_a_fault_is_named_told_with_its_seconds_and_coloured_in_the_picture() -> None:
    told = fault_list([NOISE, Fault("length", 0.3, "Too short.")])
    assert 'data-at="1.00"' in told
    assert "1.0 to 3.0 s" in told
    assert "<is>" not in told
    picture = waveform(Waveform(4.0, (0, 50, 100)), [NOISE])
    assert "left:25.0%;width:50.0%" in picture
    assert picture.count("M") == 3
    assert waveform(None) == ""
