"""The picture of a sound: one small inline SVG of its peaks, with spans of it coloured and named. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cosmos_workflow.checking.verdict import Fault
from cosmos_workflow.store.waveforms import Waveform

_TONES = {
    "missing": ("missing words", "another text", "wrong language", "cut off"),
    "added": ("added words", "repeated words", "repeated", "after the end"),
    "noise": ("noise", "clipping"),
}
"""What a fault's colour says: something lacks, something is too much, the sound is bad; the rest is its timing."""


_QUIET = 25
"""A sound that is quieter than this, in per cent of full scale, looks it; any other fills the picture."""


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
