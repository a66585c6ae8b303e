"""Text set by Typst, for pictures: what it takes up, what is made of it, and how it is fitted into a place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from manim import Mobject, Typst  # pyright: ignore[reportMissingImports] - the extra
from manim.utils.typst_file_writing import typst_to_svg_file  # pyright: ignore[reportMissingImports]

from cosmos_workflow.engines.explainer.themes import FONT, SMALLEST

FONT_SIZE = 96.0
"""Manim's measure for letters with an em of one unit."""

_POINTS = 10
_LEADING = 0.3
_SIZE = re.compile(r'<svg[^>]*\bwidth="([\d.]+)pt" height="([\d.]+)pt"')
_BREAK_AFTER = 18
_LONG_WORD = re.compile(rf"\S{{{_BREAK_AFTER},}}")


@dataclass(frozen=True, slots=True)
class Style:
    """How text is set. What has no colour of its own takes `color`."""

    color: str
    weight: str = "regular"
    align: str = "left"

    @property
    def preamble(self) -> str:
        return (
            f'#set text(font: "{FONT}", weight: "{self.weight}", top-edge: 0.75em, bottom-edge: -0.25em)\n'
            f"#set par(leading: {_LEADING}em, justify: false)\n#set align({self.align})"
        )


def typeset(body: str, em: float, style: Style, width: float | None = None) -> Typst:
    """Typst markup in letters of `em` units, wrapped at `width` units.

    It is as high as its lines, an em each and the space between them, whatever letters stand in them: a box that can't be
    seen holds them, so that things line up by their lines and not by their ink.
    """
    boxed = _boxed(body, em, width)
    return Typst(boxed, font_size=FONT_SIZE * em, color=style.color, typst_preamble=style.preamble, use_svg_cache=False)


def measure(body: str, em: float, style: Style, width: float | None = None) -> tuple[float, float]:
    """Width and height that `typeset` would give, at a twentieth of its cost."""
    svg = typst_to_svg_file(_boxed(body, em, width), preamble=style.preamble).read_text(encoding="utf-8")
    found = _SIZE.search(svg)
    if found is None:
        raise ValueError("Typst's picture has no size")
    return float(found[1]) / _POINTS * em, float(found[2]) / _POINTS * em


def _boxed(body: str, em: float, width: float | None) -> str:
    limit = "" if width is None else f", width: {width / em * _POINTS:.3f}pt"
    return f"#box(fill: rgb(0, 0, 0, 0){limit})[{body}]"


def balanced_width(text: str, em: float, style: Style, width: float) -> float:
    """The narrowest of a few widths at which a text of several lines has no more of them, and no word sticks out."""
    _, height = measure(quoted(text), em, style, width)
    if height < 1.5 * em:
        return width
    lines = "; ".join(f"[{quoted(word)} \\ ]" for word in text.split())
    longest, _ = measure(f"#{{ {lines} }}", em, style)
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        if share * width >= longest and measure(quoted(text), em, style, share * width)[1] < height + 0.1 * em:
            return share * width
    return width


def quoted(text: str) -> str:
    """Text as Typst takes it for text, whatever it holds; very long words may be broken."""
    broken = _LONG_WORD.sub(lambda word: _breakable(word[0]), text)
    escaped = broken.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'#text("{escaped}")'


def _breakable(word: str) -> str:
    return "\N{ZERO WIDTH SPACE}".join(word[start : start + 6] for start in range(0, len(word), 6))


def first_fitting(size_at: Callable[[float], tuple[float, float]], em: float, height: float) -> float:
    """The largest size of letters at which what is measured isn't higher than `height`; else the smallest that can be read."""
    for factor in (1.0, 0.9, 0.8, 0.72):
        size = max(em * factor, SMALLEST)
        if size_at(size)[1] <= height:
            return size
    return SMALLEST


def shrink(width: float, height: float, *mobjects: Mobject) -> None:
    """All smaller by the same measure, where one of them is wider or higher than this."""
    widest, highest = (max(getattr(mobject, side) for mobject in mobjects) for side in ("width", "height"))
    factor = min(1.0, width / max(widest, 1e-9), height / max(highest, 1e-9))
    if factor < 1:
        for mobject in mobjects:
            mobject.scale(factor)
