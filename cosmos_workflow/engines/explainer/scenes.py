"""The pictures: a template for each kind of scene. Text and formulas are set by Typst.

Lengths are Manim's units: the picture is 8 high, its middle is (0, 0). Letters have the sizes of `themes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import manim  # pyright: ignore[reportMissingImports] - the extra
from manim import DOWN, LEFT, UP, Line, Typst, VGroup  # pyright: ignore[reportMissingImports]

from cosmos_workflow.engines.explainer.charts import Plot
from cosmos_workflow.engines.explainer.storyboard import REVEAL
from cosmos_workflow.engines.explainer.themes import (
    BAND,
    BODY,
    EDGE,
    FORMULA_WIDTH,
    HEADING,
    HEIGHT,
    LABEL,
    LARGEST_FORMULA,
    TITLE,
    Colors,
)
from cosmos_workflow.engines.explainer.timeline import Timeline
from cosmos_workflow.engines.explainer.typesetting import (
    FONT_SIZE,
    Style,
    balanced_width,
    first_fitting,
    measure,
    quoted,
    shrink,
    typeset,
)

TOP = HEIGHT / 2 - BAND
BOTTOM = -TOP
GAP = 0.42
"""Between heading and body."""


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
        self.left, self.right, self.width = -width / 2 + EDGE, width / 2 - EDGE, width - 2 * EDGE
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
        self.timeline.still += [self._rings(), title]
        self.timeline.play(0.1, REVEAL, manim.Create(rule))
        if caption:
            self.timeline.fade_in(self.beats[0], REVEAL, caption)

    def bullets(self) -> None:
        top = self.heading()
        texts = self.scene["bullets"]
        room = top - BOTTOM
        style = Style(self.colors.text)
        rows = self._bullet_rows(texts)
        em = first_fitting(lambda size: measure(rows, size, style, self.width), BODY, room)
        block = typeset(rows, em, style, self.width)
        shrink(self.width, room, block)
        # A little above the middle of what is left rests the eye.
        slack = room - block.height
        block.align_to((self.left, 0, 0), LEFT).align_to((0, top - min(0.35 * slack, 1.0), 0), UP)
        for index, beat in enumerate(self.beats):
            part = block.select(f"bullet{index}")
            self.timeline.fade_in(beat, REVEAL, part)

    def formula(self) -> None:
        top = self.heading()
        formula = Typst(
            f"$ {self.scene['formula']} $", font_size=FONT_SIZE * LARGEST_FORMULA, color=self.colors.text, use_svg_cache=False
        )
        caption = self.caption()
        room = top - BOTTOM - (caption + GAP if caption else 0)
        shrink(FORMULA_WIDTH, room - 0.4, formula)
        formula.move_to((0, top - room / 2, 0))
        self.timeline.play(self.beats[0], 2 * REVEAL, manim.Write(formula))

    def chart(self) -> None:
        top = self.heading()
        chart = self.scene["chart"]
        caption = self.caption()
        bottom = BOTTOM + (caption + 0.45 if caption else 0)
        plot = Plot(chart, self.left, self.right, top, bottom, self.colors, self.timeline)
        (plot.line if chart["kind"] == "line" else plot.bars)(self.beats[0])

    def heading(self) -> float:
        """Title and rule at the top left; returns where the body may begin."""
        title = self.fitted(self.scene["title"], HEADING, self.width, 1.7, self.colors.text, "semibold")
        title.align_to((self.left, 0, 0), LEFT).align_to((0, TOP, 0), UP)
        rule = self.rule(1.2).align_to((self.left, 0, 0), LEFT)
        rule.align_to((0, title.get_bottom()[1] - 0.14, 0), UP)
        self.timeline.fade_in(0.0, 0.4, title)
        self.timeline.play(0.1, REVEAL, manim.Create(rule))
        return float(rule.get_bottom()[1]) - GAP

    def caption(self) -> float:
        """The line at the foot of the picture; returns how high it is, 0 without one."""
        if not self.scene["caption"]:
            return 0.0
        text = self.fitted(self.scene["caption"], LABEL * 1.1, self.width, 1.1, self.colors.quiet, align="center", balance=True)
        self.timeline.fade_in(self.beats[1], REVEAL, text.move_to((0, 0, 0)).align_to((0, BOTTOM, 0), DOWN))
        return float(text.height)

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
        style = Style(color, weight, align)
        em = first_fitting(lambda size: measure(quoted(text), size, style, width), em, height)
        if balance:
            width = balanced_width(text, em, style, width)
        made = typeset(quoted(text), em, style, width)
        shrink(width, height, made)
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
            f"#box(width: 100%)[#grid(columns: (0.95em, 1fr), [{mark}], [{quoted(text)}])] <bullet{index}>"
            for index, text in enumerate(texts)
        ]
        return f"#stack(spacing: 0.75em, {', '.join(f'[{row}]' for row in rows)})"
