"""Colours, and the one scale of sizes, in units of the picture: it is 8 units high and about 14.2 wide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEIGHT = 8.0
EDGE = 0.85
"""Nothing that is read comes nearer to the left and right border; at the top and bottom it is `BAND`."""
BAND = 0.62

TITLE, HEADING, BODY, LABEL = 1.05, 0.68, 0.55, 0.38
"""Sizes of letters (em): title cards; headings; bullets; captions and charts. 0.38 are 23 pixels at 480 lines."""
SMALLEST = 0.34

LARGEST_FORMULA, SMALLEST_FORMULA = 1.05, 0.36
FORMULA_WIDTH = 11.6

FONT = "Libertinus Serif"
"""Comes with Typst, so that a scene looks the same on every machine."""


@dataclass(frozen=True, slots=True)
class Colors:
    """A theme: what is behind, what is read, what is said aside, lines, and two colours to point with."""

    ground: str
    text: str
    quiet: str
    rule: str
    accent: str
    warm: str


COLORS: Mapping[str, Colors] = {
    "night": Colors(ground="#15212c", text="#e9eef2", quiet="#9db0c0", rule="#34495a", accent="#74bcd8", warm="#e3b571"),
    "paper": Colors(ground="#faf6ee", text="#23313d", quiet="#66737f", rule="#d8cfbf", accent="#2c6e90", warm="#b4692a"),
}
