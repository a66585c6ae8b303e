"""The pictures: a template for each kind of scene. Text and formulas are set by Typst, charts are drawn here.

Lengths are Manim's units: the picture is 8 high, its middle is (0, 0). Letters have the sizes of `themes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import manim  # pyright: ignore[reportMissingImports] - the extra
import numpy as np
from manim import DOWN, LEFT, RIGHT, UP, Line, Mobject, Rectangle, Typst, VGroup  # pyright: ignore[reportMissingImports]
from manim.utils.typst_file_writing import typst_to_svg_file  # pyright: ignore[reportMissingImports]

from cosmos_workflow.engines.explainer.storyboard import REVEAL
from cosmos_workflow.engines.explainer.themes import (
    BAND,
    BODY,
    EDGE,
    FONT,
    FORMULA_WIDTH,
    HEADING,
    HEIGHT,
    LABEL,
    LARGEST_FORMULA,
    SMALLEST,
    TITLE,
    Colors,
)
from cosmos_workflow.engines.explainer.timeline import Timeline

TOP = HEIGHT / 2 - BAND
BOTTOM = -TOP
GAP = 0.42
"""Between heading and body."""

_POINTS = 10
# Manim's measure: an em of 10 points at font size 96 is one unit high.
_FONT_SIZE = 96.0
_LEADING = 0.3
_SIZE = re.compile(r'<svg[^>]*\bwidth="([\d.]+)pt" height="([\d.]+)pt"')
_BREAK_AFTER = 18
_LONG_WORD = re.compile(rf"\S{{{_BREAK_AFTER},}}")


def compose(shot: dict[str, Any], colors: Colors, width: float) -> Timeline:
    """The timeline of a shot's picture, `width` units wide."""
    scene, beats = shot["scene"], shot["beats"]
    draw = _Composer(scene, beats, colors, width)
    kinds: dict[str, Callable[[], None]] = {"bullets": draw.bullets, "formula": draw.formula, "chart": draw.chart}
    next((template for name, template in kinds.items() if scene[name]), draw.title_card)()
    return draw.timeline


class _Composer:
    def __init__(self, scene: dict[str, Any], beats: Sequence[float], colors: Colors, width: float) -> None:
        self.scene, self.beats, self.colors = scene, beats, colors
        self.left, self.right = -width / 2 + EDGE, width / 2 - EDGE
        self.timeline = Timeline()

    def title_card(self) -> None:
        title = self.fitted(self.scene["title"], TITLE, 0.78 * self.width, 3.2, self.colors.text, "semibold", balance=True)
        rule = self.rule(1.6)
        caption = None
        if self.scene["caption"]:
            caption = self.fitted(self.scene["caption"], BODY, 0.72 * self.width, 1.6, self.colors.quiet, balance=True)
        block = VGroup(title, rule, *([caption] if caption else []))
        block.arrange(DOWN, buff=0.36, aligned_edge=LEFT)
        block.move_to((0, 0.25, 0)).align_to((self.left, 0, 0), LEFT)
        self.timeline.show(self._rings(), title)
        self.timeline.play(0.1, REVEAL, manim.Create(rule))
        if caption:
            self.timeline.fade_in(self.beats[0], REVEAL, caption)

    def bullets(self) -> None:
        top = self.heading()
        texts = self.scene["bullets"]
        room = top - BOTTOM
        style = _Style(self.colors.text)
        rows = self._bullet_rows(texts)
        em = _first_fitting(lambda size: measure(rows, size, style, self.width), BODY, room)
        block = typeset(rows, em, style, self.width)
        _shrink(block, self.width, room)
        # A little above the middle of what is left rests the eye.
        slack = room - block.height
        block.align_to((self.left, 0, 0), LEFT).align_to((0, top - min(0.35 * slack, 1.0), 0), UP)
        for index, beat in enumerate(self.beats):
            part = block.select(f"bullet{index}")
            self.timeline.fade_in(beat, REVEAL, part)

    def formula(self) -> None:
        top = self.heading()
        formula = Typst(
            f"$ {self.scene['formula']} $", font_size=_FONT_SIZE * LARGEST_FORMULA, color=self.colors.text, use_svg_cache=False
        )
        caption = self.caption()
        room = top - BOTTOM - (caption.height + GAP if caption else 0)
        _shrink(formula, FORMULA_WIDTH, room - 0.4)
        formula.move_to((0, top - room / 2, 0))
        self.timeline.play(self.beats[0], 2 * REVEAL, manim.Write(formula))
        if caption:
            self.timeline.fade_in(self.beats[1], REVEAL, caption)

    def chart(self) -> None:
        top = self.heading()
        chart = self.scene["chart"]
        caption = self.caption()
        bottom = BOTTOM + (caption.height + 0.45 if caption else 0)
        plot = _Plot(chart, self, top, bottom)
        (plot.line if chart["kind"] == "line" else plot.bars)(self.beats[0])
        if caption:
            self.timeline.fade_in(self.beats[1], REVEAL, caption)

    def heading(self) -> float:
        """Title and rule at the top left; returns where the body may begin."""
        title = self.fitted(self.scene["title"], HEADING, self.width, 1.7, self.colors.text, "semibold")
        title.align_to((self.left, 0, 0), LEFT).align_to((0, TOP, 0), UP)
        rule = self.rule(1.2).align_to((self.left, 0, 0), LEFT)
        rule.align_to((0, title.get_bottom()[1] - 0.14, 0), UP)
        self.timeline.fade_in(0.0, 0.4, title)
        self.timeline.play(0.1, REVEAL, manim.Create(rule))
        return float(rule.get_bottom()[1]) - GAP

    def caption(self) -> Mobject | None:
        """The line at the foot of the picture, not shown yet."""
        if not self.scene["caption"]:
            return None
        text = self.fitted(self.scene["caption"], LABEL * 1.1, self.width, 1.1, self.colors.quiet, align="center", balance=True)
        return text.move_to((0, 0, 0)).align_to((0, BOTTOM, 0), DOWN)

    @property
    def width(self) -> float:
        """Between the margins."""
        return self.right - self.left

    def rule(self, length: float) -> Line:
        return Line((0, 0, 0), (length, 0, 0), stroke_width=5, color=self.colors.accent)

    def fitted(
        self,
        text: str,
        em: float,
        width: float,
        height: float,
        color: str,
        weight: str = "regular",
        align: str = "left",
        balance: bool = False,
    ) -> Typst:
        """Text that wraps at `width`, in smaller letters where it would be higher than `height`.

        With `balance` its lines are about equally long.
        """
        style = _Style(color, weight, align)
        em = _first_fitting(lambda size: measure(_quoted(text), size, style, width), em, height)
        if balance:
            width = _balanced(text, em, style, width)
        made = typeset(_quoted(text), em, style, width)
        _shrink(made, width, height)
        return made

    def _rings(self) -> VGroup:
        """Circles that leave the picture at its lower right corner: a card isn't bare, and nothing in it is read."""
        middle = (self.right + EDGE - 0.4, -HEIGHT / 2 + 0.6, 0)
        rings = VGroup(*(manim.Circle(radius, color=self.colors.rule, stroke_width=2.5) for radius in (1.5, 2.5, 3.5)))
        rings.move_to(middle)
        body = manim.Dot(rings[1].point_at_angle(2.2), radius=0.16, color=self.colors.accent)
        moon = manim.Dot(rings[2].point_at_angle(2.75), radius=0.1, color=self.colors.warm)
        return VGroup(rings, body, moon)

    def _bullet_rows(self, texts: Sequence[str]) -> str:
        """Typst markup of a list whose rows are labelled bullet0, bullet1 and so on."""
        mark = f'#text(fill: rgb("{self.colors.accent}"))[•]'
        rows = [
            f"#box(width: 100%)[#grid(columns: (0.95em, 1fr), [{mark}], [{_quoted(text)}])] <bullet{index}>"
            for index, text in enumerate(texts)
        ]
        return f"#stack(spacing: 0.75em, {', '.join(f'[{row}]' for row in rows)})"


class _Plot:
    """A chart between `top` and `bottom`."""

    def __init__(self, chart: dict[str, Any], composer: _Composer, top: float, bottom: float) -> None:
        self.values: list[float] = chart["values"]
        self.unit: str = chart["unit"]
        self.names: list[str] = chart["labels"]
        self.composer, self.colors, self.timeline = composer, composer.colors, composer.timeline
        self.top, self.bottom = top, bottom

    def bars(self, beat: float) -> None:
        """Columns on a line at zero, each with its value."""
        left, slot = self.composer.left, self.composer.width / len(self.values)
        names = self._names(left, slot)
        figures = [self._figure(value, self.colors.text) for value in self.values]
        _shrink_all(figures, 0.98 * slot, LABEL)
        room = LABEL + 0.1
        low, high = min(*self.values, 0.0), max(*self.values, 0.0)
        top, bottom = self.top - (room if high > 0 or low == 0 else 0), self.bottom + (room if low < 0 else 0)
        scale = (top - bottom) / ((high - low) or 1.0)
        zero = bottom - low * scale
        base = Line((left, zero, 0), (self.composer.right, zero, 0), stroke_width=2, color=self.colors.rule)
        self.timeline.fade_in(beat, REVEAL, VGroup(base, *names))
        for index, (value, figure) in enumerate(zip(self.values, figures, strict=True)):
            height = max(abs(value) * scale, 0.02)
            bar = Rectangle(width=min(0.62 * slot, 1.7), height=height, stroke_width=0)
            bar.set_fill(self.colors.accent, 1)
            bar.move_to((left + (index + 0.5) * slot, zero + math.copysign(height / 2, value), 0))
            figure.next_to(bar, UP if value >= 0 else DOWN, buff=0.04)
            start = beat + 0.25 + 0.5 * index / len(self.values)
            self.timeline.play(start, REVEAL, manim.GrowFromEdge(bar, DOWN if value >= 0 else UP))
            self.timeline.fade_in(start + 0.35, 0.5, figure)

    def line(self, beat: float) -> None:
        """Points joined by a line, over lines at round values."""
        shown = ticks(min(self.values), max(self.values))
        figures = [self._figure(tick, self.colors.quiet) for tick in shown]
        _shrink_all(figures, 0.25 * self.composer.width, LABEL)
        left = self.composer.left + max(figure.width for figure in figures) + 0.2
        slot = (self.composer.right - left) / len(self.values)
        names = self._names(left, slot)
        top = self.top - LABEL / 2
        scale = (top - self.bottom) / (shown[-1] - shown[0])
        grid = VGroup()
        for tick, figure in zip(shown, figures, strict=True):
            y = self.bottom + (tick - shown[0]) * scale
            grid.add(Line((left, y, 0), (self.composer.right, y, 0), stroke_width=1.5, color=self.colors.rule))
            figure.move_to((0, y, 0)).align_to((left - 0.15, 0, 0), RIGHT)
        points = [
            np.array([left + (index + 0.5) * slot, self.bottom + (value - shown[0]) * scale, 0.0])
            for index, value in enumerate(self.values)
        ]
        path = manim.VMobject(stroke_color=self.colors.accent, stroke_width=5).set_points_as_corners(points)
        dots = VGroup(*(manim.Dot(point, radius=0.09, color=self.colors.warm) for point in points))
        self.timeline.fade_in(beat, REVEAL, VGroup(grid, *figures, *names))
        self.timeline.play(beat + 0.25, 1.0, manim.Create(path))
        self.timeline.fade_in(beat + 0.8, 0.5, dots)

    def _names(self, left: float, slot: float) -> list[Typst]:
        """The labels at the foot, one below each value; the plot then begins above them."""
        style = _Style(self.colors.quiet, align="center")
        if max(measure(_quoted(name), LABEL, style)[0] for name in self.names) > slot:
            made = [typeset(_quoted(name), 0.85 * LABEL, style, 0.96 * slot) for name in self.names]
        else:
            made = [typeset(_quoted(name), LABEL, style) for name in self.names]
        highest = max(name.height for name in made)
        self.bottom += highest + 0.18
        for index, name in enumerate(made):
            name.move_to((left + (index + 0.5) * slot, 0, 0)).align_to((0, self.bottom - 0.18, 0), UP)
        return made

    def _figure(self, value: float, color: str) -> Typst:
        return typeset(_quoted(spell_value(value, self.unit)), LABEL, _Style(color))


@dataclass(frozen=True, slots=True)
class _Style:
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


def typeset(body: str, em: float, style: _Style, width: float | None = None) -> Typst:
    """Typst markup in letters of `em` units, wrapped at `width` units.

    It is as high as its lines, an em each and the space between them, whatever letters stand in them: a box that can't be
    seen holds them, so that things line up by their lines and not by their ink.
    """
    return Typst(
        _boxed(body, em, width), font_size=_FONT_SIZE * em, color=style.color, typst_preamble=style.preamble, use_svg_cache=False
    )


def measure(body: str, em: float, style: _Style, width: float | None = None) -> tuple[float, float]:
    """Width and height that `typeset` would give, at a twentieth of its cost."""
    svg = typst_to_svg_file(_boxed(body, em, width), preamble=style.preamble).read_text(encoding="utf-8")
    found = _SIZE.search(svg)
    if found is None:
        raise ValueError("Typst's picture has no size")
    return float(found[1]) / _POINTS * em, float(found[2]) / _POINTS * em


def _boxed(body: str, em: float, width: float | None) -> str:
    limit = "" if width is None else f", width: {width / em * _POINTS:.3f}pt"
    return f"#box(fill: rgb(0, 0, 0, 0){limit})[{body}]"


def _balanced(text: str, em: float, style: _Style, width: float) -> float:
    """The narrowest of a few widths at which a text of several lines has no more of them, and no word sticks out."""
    _, height = measure(_quoted(text), em, style, width)
    if height < 1.5 * em:
        return width
    words = " ".join(f"[{_quoted(word)} \\ ]" for word in text.split())
    longest, _ = measure(f"#{{ {words.replace('] [', ']; [')} }}", em, style)
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        if share * width >= longest and measure(_quoted(text), em, style, share * width)[1] < height + 0.1 * em:
            return share * width
    return width


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from at most `low` to at least `high`, at most `most` + 1 of them, in equal steps of 1, 2 or 5 times 10^n."""
    if high - low < 1e-12 * max(abs(low), abs(high), 1e-300):
        pad = abs(high) * 0.5 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def spell_value(value: float, unit: str) -> str:
    """A value as people write it: 1,234.5 km, 42%."""
    plain = value == 0 or 1e-3 <= abs(value) < 1e12
    text = f"{value:,.3f}".rstrip("0").rstrip(".") if plain else f"{value:.3g}"
    text = text.replace("-", "\N{MINUS SIGN}")
    if not unit:
        return text
    return f"{text}{unit}" if unit in ("%", "°", "‰") else f"{text}\N{NO-BREAK SPACE}{unit}"


def _quoted(text: str) -> str:
    """Text as Typst takes it for text, whatever it holds; very long words may be broken."""
    broken = _LONG_WORD.sub(lambda word: _breakable(word[0]), text)
    escaped = broken.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'#text("{escaped}")'


def _breakable(word: str) -> str:
    return "\N{ZERO WIDTH SPACE}".join(word[start : start + 6] for start in range(0, len(word), 6))


def _first_fitting(size_at: Callable[[float], tuple[float, float]], em: float, height: float) -> float:
    """The largest size of letters at which what is measured isn't higher than `height`; else the smallest that can be read."""
    for factor in (1.0, 0.9, 0.8, 0.72):
        size = max(em * factor, SMALLEST)
        if size_at(size)[1] <= height:
            return size
    return SMALLEST


def _shrink(mobject: Mobject, width: float, height: float) -> None:
    """Smaller, where it is wider or higher than this."""
    _shrink_all([mobject], width, height)


def _shrink_all(mobjects: Sequence[Mobject], width: float, height: float) -> None:
    """All by the same measure, where one of them is wider or higher than this."""
    widest, highest = (max(getattr(mobject, side) for mobject in mobjects) for side in ("width", "height"))
    factor = min(1.0, width / max(widest, 1e-9), height / max(highest, 1e-9))
    if factor < 1:
        for mobject in mobjects:
            mobject.scale(factor)
