"""What the paragraphs of a text are: what a reader would take for one, in texts as people have them."""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmos_workflow.jobs.speech.chunks import Limits, cut_text
from cosmos_workflow.jobs.speech.paragraphs import Rule, paragraphs_of, rule_for


def found(text: str, paragraphs: str = "auto") -> list[str]:
    """The paragraphs of a text, as they are read."""
    rule = rule_for(text, paragraphs)  # type: ignore[arg-type]
    return [" ".join(text[start:end].split()) for start, end in paragraphs_of(text, rule) if text[start:end].strip()]


WRAPPED = """\
CHAPTER I

The old man had been walking along the shore since the early morning, and
when at last he came to the pier there was nobody left on it. The ferry had
gone. "Is it far?" he asked.

Nobody answered him, since there was nobody there; the wind alone went on as
it had done all night.
"""


def test_wrapped_lines_belong_together() -> None:
    assert [paragraph.split()[0] for paragraph in found(WRAPPED)] == ["CHAPTER", "The", "Nobody"]
    assert len(found(WRAPPED, "every_line")) == 6


@pytest.mark.parametrize(
    "lines",
    [
        [
            "Chapter One",
            "The door opened.",
            "“Who is there?” she asked, and rose from her chair beside the fire.",
            "“I.”",
            "Then silence.",
        ],
        ["第一章", "门开了。", "“谁？”她问。", "“我。”", "然后是一片寂静。"],
        ["第一章", "扉が開いた。", "「え？」", "「誰だ！」と彼女は言った。", "静かになった。"],
        ["Глава 1", "Дверь открылась.", "— Кто там? — спросила она.", "— Я.", "Стало тихо."],
        ["Erstes Kapitel", "Die Tür ging auf.", "„Wer da?“", "„Ich.“", "Dann war es still."],
        ["word " * 60, "word " * 50, "word " * 70],
    ],
    ids=["en", "zh", "ja", "ru", "de", "long"],
)
def test_a_paragraph_in_each_line(lines: list[str]) -> None:
    assert found("\n".join(lines)) == [line.strip() for line in lines]
    assert len(found("\n".join(lines), "blank_line")) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "What to buy for the journey that lies before us, and why it is so:\n"
            "- bread, of which we need most, and which is baked\n  by ourselves\n- salt",
            3,
        ),
        ("1. A first point that somebody wrapped, because it went on and on\n   over two lines\n2. A second point", 2),
        ("# A heading\nSome text that is wrapped at a width which is usual for texts that\nare wrapped, and goes on.", 2),
        (
            "The Heading\nSome text that is wrapped at a width which is usual for texts that\nare wrapped, and on\nit goes",
            2,
        ),
        (
            "   Indented lines begin a paragraph in many a book that was set before\n"
            "anybody had thought of blank lines between\n   Them, and so it is here, as you see, although the\nlines are wrapped",
            2,
        ),
    ],
    ids=["list", "numbers", "heading", "plain heading", "indented"],
)
def test_what_stands_apart_in_a_wrapped_text(text: str, expected: int) -> None:
    assert len(found(text)) == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a b", "A.", "\n", "\n\n", " ", "- x", "\t", "1. y", "# h"]), max_size=40).map("".join))
def test_every_letter_is_in_one_paragraph(text: str) -> None:
    for rule in (rule_for(text, "auto"), Rule(), Rule(every_line=True), Rule(width=9)):
        spans = list(paragraphs_of(text, rule))
        assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
        assert all(start <= end for start, end in spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I\n\nThe road was long.\n\nV\n\nThe end.", ["I. The road was long.", "V. The end."]),
        ("The road.\n\n5", ["The road. 5"]),
        ("「え？」\n\n彼は言った。", ["「え？」 彼は言った。"]),
        ("I\n\nV\n\nX\n\nThe end.", ["I. V", "X. The end."]),
        ("Go. [pause:2] I [pause:3]\n\nThe end.", ["Go.", "I.", "The end."]),
        ("I", ["I."]),
    ],
)
def test_a_letter_alone_is_said_with_its_neighbour(text: str, expected: list[str]) -> None:
    chunks, _ = cut_text(text, Limits(100, 200, 0), shortest=2)
    assert [chunk.text for chunk in chunks] == expected
    assert chunks[-1].break_after == ""
    assert all(chunk.break_after for chunk in chunks[:-1])


def test_a_letter_alone_is_said_by_its_own_speaker() -> None:
    chunks, _ = cut_text("Who?\n<speaker:a>I\n\nam here.<speaker:default>I<speaker:a>Yes.", Limits(), speakers=["a"], shortest=2)
    assert [(chunk.text, chunk.speaker) for chunk in chunks] == [("Who?", ""), ("I. am here.", "a"), ("I.", ""), ("Yes.", "a")]
