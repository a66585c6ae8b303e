"""Long text in pieces: what a listener would hear, and that nothing is lost."""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosmos_workflow.jobs.speech.chunks import Chunk, Limits, cut_text, split_long

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<>"), max_size=300)
PROSE = st.lists(
    st.sampled_from(
        [
            "Dr. Smith paid $3.50. ",
            "“Why?” she asked, ",
            "word ",
            "\n\n",
            "\n",
            "你好。",
            "e.g. ",
            "a" * 70,
            "; ",
            "* * *",
            "é" * 30,
        ]
    ),
    max_size=60,
).map("".join)
LIMITS = st.tuples(st.integers(20, 500), st.integers(20, 500), st.integers(0, 500)).map(
    lambda sizes: Limits(min(sizes[:2]), max(sizes[:2]), min(sizes))
)


def letters(text: str) -> str:
    """A text without white space and without the paragraphs that hold no letter or digit."""
    spoken = [part for part in re.split(r"\n\s*\n", text) if any(letter.isalnum() for letter in part)]
    return "".join("".join(spoken).split())


@given(PROSE | WORDS, LIMITS, st.sampled_from(["en", "de", "ja", "xx"]))
@example("a" * 1000, Limits(), "en")
@example("One. Two.\n \n* * *\n\n\n  Three.", Limits(20, 20, 0), "en")
def test_nothing_is_lost_and_nothing_is_too_long(text: str, limits: Limits, language: str) -> None:
    chunks, problems = cut_text(text, limits, language)
    assert not problems
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == letters(text)
    assert all(0 < len(chunk.text) <= limits.max for chunk in chunks)
    assert [chunk.break_after for chunk in chunks][-1:] in ([], [""])
    assert all(chunk.break_after for chunk in chunks[:-1])


@given(st.lists(PROSE, min_size=2, max_size=6), st.data())
def test_a_changed_paragraph_changes_only_its_own_pieces(paragraphs: list[str], data: st.DataObject) -> None:
    paragraphs = [" ".join(paragraph.split()) + " end." for paragraph in paragraphs]
    place = data.draw(st.integers(0, len(paragraphs) - 1))
    changed = [*paragraphs[:place], "Something else entirely.", *paragraphs[place + 1 :]]

    def pieces(texts: list[str]) -> list[str]:
        return [chunk.text for chunk in cut_text("\n\n".join(texts), Limits(100, 150, 20))[0]]

    before, after = pieces(paragraphs), pieces(changed)
    lead, tail = pieces(paragraphs[:place]), pieces(paragraphs[place + 1 :])
    assert before[: len(lead)] == after[: len(lead)] == lead
    assert before[len(before) - len(tail) :] == after[len(after) - len(tail) :] == tail
    assert after[len(lead) : len(after) - len(tail)] == ["Something else entirely."]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    sentence = "When the rain had stopped, and the last of the carts had gone, we went down to the river; nobody spoke."
    assert split_long(sentence, Limits(40, 60, 0)) == [
        "When the rain had stopped, ",
        "and the last of the carts had gone, ",
        "we went down to the river; nobody spoke.",
    ]


def test_short_sentences_go_together_within_their_paragraph() -> None:
    chunks, _ = cut_text("Yes. No. Perhaps. Never.\n\nAnother one.", Limits(100, 120, 10))
    assert chunks == [
        Chunk("Yes. No. Perhaps. Never.", break_after="paragraph", line=1),
        Chunk("Another one.", line=3),
    ]


@pytest.mark.parametrize(
    "sign",
    ["👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "1️⃣", "❤️‍🔥", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "e\u0301\u0323", "क्षि", "각"],
    ids=["family", "flag", "skin", "keycap", "burning", "England", "accents", "hindi", "jamo"],
)
@pytest.mark.parametrize("most", [20, 21, 22, 23, 24])
def test_a_sign_of_several_characters_isnt_torn(sign: str, most: int) -> None:
    chunks, _ = cut_text("a" + sign * 60, Limits(most, most, 0))
    assert "".join(chunk.text for chunk in chunks) == "a" + sign * 60
    assert all(chunk.text.removeprefix("a").replace(sign, "") == "" for chunk in chunks)


def test_a_speakers_mark_switches_the_voice() -> None:
    text = "Once.\n<speaker:anna>Hi.\n\nYou? <speaker:tom> Me. <speaker:default>The end."
    chunks, problems = cut_text(text, Limits(), "en", ["anna", "tom"])
    assert not problems
    assert chunks == [
        Chunk("Once.", "", "speaker", 1),
        Chunk("Hi.", "anna", "paragraph", 2),
        Chunk("You?", "anna", "speaker", 4),
        Chunk("Me.", "tom", "speaker", 4),
        Chunk("The end.", "", "", 4),
    ]


def test_an_unknown_speaker_is_told_with_its_line() -> None:
    _, problems = cut_text("One.\n\n<speaker:ana> Two. < speaker:anna> Three.", Limits(), "en", ["anna"])
    assert [(problem.line, problem.message[:24]) for problem in problems] == [
        (3, "the speaker 'ana' isn't "),
        (3, "'< speaker:anna>' isn't "),
    ]


def test_pauses_part_a_paragraph_and_stand_behind_their_piece() -> None:
    text = "[pause:2] One two. [pause:1.5] Three.\n\nFour. [pause:0.5][pause:1]\n\n[pause:3]\n\nFive."
    chunks, problems = cut_text(text, Limits(), "en")
    assert problems == []
    assert [(chunk.text, chunk.pause, chunk.break_after) for chunk in chunks] == [
        ("[pause:2]One two.", 1.5, "sentence"),
        ("Three.", None, "paragraph"),
        ("Four.", 1.5, "paragraph"),
        ("Five.", None, ""),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        ("word, " * 8 + "and ") * 60_000,
        "a" * 3_000_000,
        "<speaker:anna>hello there.\n" * 100_000,
        "<speaker:nobody>hello there.\n" * 100_000,
        "the quick brown fox jumps " * 100_000,
        "J. " * 1_000_000,
        "The quick brown fox. It jumps over the dog.\n\n" * 60_000,
        "“早上好？”哈利问" * 40_000,
        "a" + "👨‍👩‍👧‍👦" * 100_000,
    ],
    ids=["commas", "one word", "speakers", "wrong speakers", "no full stop", "abbreviations", "paragraphs", "quoted", "emoji"],
)
def test_megabytes_are_cut_in_one_pass(text: str) -> None:
    chunks, _ = cut_text(text, Limits(), speakers=["anna"])  # each of these took minutes to hours
    marks = re.compile(r"<speaker:anna>|\s")
    assert sum(len(marks.sub("", chunk.text)) for chunk in chunks) == len(marks.sub("", text))
