"""Pieces of HTML for speech that was heard back: the text with the words that differ marked, what was heard, and faults."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from cosmos_workflow.checking.verdict import Fault, Verdict
from cosmos_workflow.ui import markup


def marked_text(text: str, verdict: Verdict | None) -> str:
    """A piece's text; where it was heard, with the words marked that were heard differently, and where something was added."""
    if verdict is None or verdict.hearing is None:
        return escape(text)
    said = verdict.hearing.said
    parts: list[str] = []
    at = 0
    for difference in sorted(verdict.hearing.differences, key=lambda one: (one.first, one.last)):
        if difference.first < at:
            continue
        parts.append(escape(said[at : difference.first]))
        words = said[difference.first : difference.last] or "+"
        title = f"heard: {difference.heard}" if difference.heard else "not heard"
        parts.append(f'<mark class="cw-{difference.kind}" title="{escape(title)}">{escape(words)}</mark>')
        at = difference.last
    return "".join(parts) + escape(said[at:])


def transcript(verdict: Verdict | None) -> str:
    """What was heard, where that isn't the text, with the word error rate."""
    if verdict is None or verdict.hearing is None:
        return ""
    heard = verdict.hearing
    rate = f"Heard back by Whisper {heard.model}: word error rate {heard.word_error_rate:.0%}"
    return markup.sub(f"{rate}. Heard: {heard.transcript}" if heard.differences else f"{rate}.")


def fault_words(verdict: Verdict) -> Iterator[str]:
    """Each fault in a sentence, with the seconds where it is."""
    for fault in verdict.faults:
        yield f"{fault.message}{_where(fault)}"


def _where(fault: Fault) -> str:
    return "" if fault.start is None or fault.end is None else f" ({fault.start:.1f} to {fault.end:.1f} s)"
