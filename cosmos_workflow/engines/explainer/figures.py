"""Numbers in charts: round values for an axis, and values as people write them. Pure."""

from __future__ import annotations

import math


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
