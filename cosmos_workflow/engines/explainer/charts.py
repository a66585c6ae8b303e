"""Charts: bars and lines, drawn with Manim's shapes."""

from __future__ import annotations

import math
from typing import Any

import manim  # pyright: ignore[reportMissingImports] - the extra
import numpy as np
from manim import DOWN, RIGHT, UP, Line, Rectangle, Typst, VGroup  # pyright: ignore[reportMissingImports]

from cosmos_workflow.engines.explainer.figures import spell_value, ticks
from cosmos_workflow.engines.explainer.storyboard import REVEAL
from cosmos_workflow.engines.explainer.themes import LABEL, Colors
from cosmos_workflow.engines.explainer.timeline import Timeline
from cosmos_workflow.engines.explainer.typesetting import Style, measure, quoted, shrink, typeset


class Plot:
    """A chart within these sides, put on the timeline by `bars` or `line`."""

    def __init__(
        self, chart: dict[str, Any], left: float, right: float, top: float, bottom: float, colors: Colors, timeline: Timeline
    ) -> None:
        self.values: list[float] = chart["values"]
        self.unit: str = chart["unit"]
        self.names: list[str] = chart["labels"]
        self.left, self.right, self.top, self.bottom = left, right, top, bottom
        self.colors, self.timeline = colors, timeline

    def bars(self, beat: float) -> None:
        """Columns on a line at zero, each with its value."""
        left, slot = self.left, (self.right - self.left) / len(self.values)
        names = self._names(left, slot)
        figures = [self._figure(value, self.colors.text) for value in self.values]
        shrink(0.98 * slot, LABEL, *figures)
        room = LABEL + 0.1
        low, high = min(*self.values, 0.0), max(*self.values, 0.0)
        top, bottom = self.top - (room if high > 0 or low == 0 else 0), self.bottom + (room if low < 0 else 0)
        scale = (top - bottom) / ((high - low) or 1.0)
        zero = bottom - low * scale
        base = Line((left, zero, 0), (self.right, zero, 0), stroke_width=2, color=self.colors.rule)
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
        shrink(0.25 * (self.right - self.left), LABEL, *figures)
        left = self.left + max(figure.width for figure in figures) + 0.2
        slot = (self.right - left) / len(self.values)
        names = self._names(left, slot)
        top = self.top - LABEL / 2
        scale = (top - self.bottom) / (shown[-1] - shown[0])
        grid = VGroup()
        for tick, figure in zip(shown, figures, strict=True):
            y = self.bottom + (tick - shown[0]) * scale
            grid.add(Line((left, y, 0), (self.right, y, 0), stroke_width=1.5, color=self.colors.rule))
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
        style = Style(self.colors.quiet, align="center")
        if max(measure(quoted(name), LABEL, style)[0] for name in self.names) > slot:
            made = [typeset(quoted(name), 0.85 * LABEL, style, 0.96 * slot) for name in self.names]
        else:
            made = [typeset(quoted(name), LABEL, style) for name in self.names]
        highest = max(name.height for name in made)
        self.bottom += highest + 0.18
        for index, name in enumerate(made):
            name.move_to((left + (index + 0.5) * slot, 0, 0)).align_to((0, self.bottom - 0.18, 0), UP)
        return made

    def _figure(self, value: float, color: str) -> Typst:
        return typeset(quoted(spell_value(value, self.unit)), LABEL, Style(color))
