"""Pieces of HTML for sounds and speech that was heard back: the picture of a sound, the text with the words that differ marked,
what was heard, and faults.

A word with `data-at`, its second in the sound, is played from by a click; `static/heard.js` does that, and marks what sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from cosmos_workflow.checking.verdict import Fault, Hearing, Verdict
from cosmos_workflow.store.waveforms import Waveform
from cosmos_workflow.ui import markup

_TONES = {
    "missing": ("missing words", "another text", "wrong language", "cut off"),
    "added": ("added words", "repeated words", "repeated", "after the end"),
    "noise": ("noise", "clipping"),
}
"""What a fault's colour says: something lacks, something is too much, the sound is bad; the rest is its timing."""

_QUIET = 25
"""A sound that is quieter than this, in per cent of full scale, looks it; any other fills the picture."""


def marked_text(text: str, verdict: Verdict | None, label: str = "Text") -> str:
    """A piece's text; where it was heard, with the words marked that were heard differently, and where something was added."""
    if verdict is None or verdict.hearing is None:
        return f'<p class="cw-piece-text">{escape(text)}</p>'
    return word_group(_marked(verdict.hearing), label, "cw-piece-text")


def word_group(words: str, label: str, kind: str) -> str:
    """Words with their times as one thing for the keyboard: arrows choose a word, Enter plays from there."""
    title = escape(f"{label}: arrow keys choose a word, Enter plays from there")
    return f'<p class="{kind} cw-words" data-words role="group" tabindex="0" aria-label="{title}">{words}</p>'


def timed_word(word: str, seconds: float) -> str:
    """A word that is played from."""
    return f'<span data-at="{seconds:.2f}">{escape(word)}</span>'


def _marked(hearing: Hearing) -> str:
    said = hearing.said
    parts: list[str] = []
    at = 0
    for difference in sorted(hearing.differences, key=lambda one: (one.first, one.last)):
        if difference.first < at:
            continue
        parts.append(_words(hearing, at, difference.first))
        inside = _words(hearing, difference.first, difference.last)
        if "data-at" not in inside:  # nothing of it was heard, so it is played from where it should be
            inside = timed_word(said[difference.first : difference.last] or "+", difference.start)
        title = f"heard: {difference.heard}" if difference.heard else "not heard"
        parts.append(f'<mark class="cw-{difference.kind}" title="{escape(title)}">{inside}</mark>')
        at = difference.last
    return "".join([*parts, _words(hearing, at, len(said))])


def _words(hearing: Hearing, first: int, last: int) -> str:
    """A slice of the text, with the times of the words that were heard."""
    parts: list[str] = []
    at = first
    for begin, end, start, _ in sorted(hearing.aligned):
        if at <= begin and end <= last:
            parts += [escape(hearing.said[at:begin]), timed_word(hearing.said[begin:end], start)]
            at = end
    return "".join([*parts, escape(hearing.said[at:last])])


def transcript(verdict: Verdict | None) -> str:
    """What was heard, where that isn't the text."""
    if verdict is None or verdict.hearing is None or not verdict.hearing.differences:
        return ""
    words = "".join(timed_word(word.text, word.start) for word in verdict.hearing.words)
    return word_group(f"<b>Heard:</b> {words}", "What was heard", "cw-sub")


def score_text(verdict: Verdict) -> str:
    """A verdict in a few words."""
    score = f"score {verdict.value:.2f}"
    heard = verdict.hearing
    return f"{score} · word error rate {heard.word_error_rate:.0%} by Whisper {heard.model}" if heard else score


def fault_list(faults: Iterable[Fault]) -> str:
    """Each fault by its name and a sentence, with the seconds where it is, from which a click plays."""
    rows = "".join(f"<li>{_fault(fault)}</li>" for fault in faults)
    return f'<ul class="cw-faults" aria-label="Faults">{rows}</ul>' if rows else ""


def _fault(fault: Fault) -> str:
    name = f'<span class="cw-fault-name cw-fault-{tone_of(fault.name)}">{escape(fault.name)}</span>'
    message = markup.sub(fault.message)
    if fault.start is None or fault.end is None:
        return f"<span>{name}{message}</span>"
    where = f'<span class="cw-fault-where">{fault.start:.1f} to {fault.end:.1f} s</span>'
    label = escape(f"Play {fault.name} from {fault.start:.1f} s: {fault.message}")
    return f'<button type="button" data-at="{fault.start:.2f}" aria-label="{label}">{name}{where}{message}</button>'


def tone_of(fault: str) -> str:
    """The colour of a fault, by its name."""
    return next((tone for tone, names in _TONES.items() if fault in names), "timing")


def waveform(shape: Waveform | None, faults: Sequence[Fault] = ()) -> str:
    """A sound as a picture that a click seeks in; the spans of its faults lie behind it. Empty for what is no sound."""
    if shape is None or shape.seconds <= 0:
        return ""
    spans = "".join(_span(fault, shape.seconds) for fault in faults)
    number = len(shape.peaks)
    loudest = max(_QUIET, *shape.peaks)
    heights = [max(1, round(100 * peak / loudest)) for peak in shape.peaks]
    bars = "".join(f"M{place} {100 - height}v{2 * height}" for place, height in enumerate(heights))
    return (
        f'<div class="cw-wave" data-wave aria-hidden="true">{spans}'
        f'<svg viewBox="-1 0 {number + 1} 200" preserveAspectRatio="none"><path d="{bars}"/></svg>'
        '<i class="cw-wave-head"></i></div>'
    )


def _span(fault: Fault, seconds: float) -> str:
    if fault.start is None or fault.end is None:
        return ""
    first = 100 * min(max(fault.start / seconds, 0.0), 1.0)
    width = max(0.0, 100 * min(fault.end / seconds, 1.0) - first)
    kind, place = f"cw-wave-span cw-fault-{tone_of(fault.name)}", f"left:{first:.1f}%;width:{width:.1f}%"
    return f'<i class="{kind}" title="{escape(f"{fault.name}: {fault.message}")}" style="{place}"></i>'
