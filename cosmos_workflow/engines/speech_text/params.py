"""The params that every speech engine has: whether numbers and signs are said in words, and how single words are said."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from cosmos_workflow.engines.params import param
from cosmos_workflow.engines.speech_text.pronunciations import as_text, parse_list

NORMALIZE, PRONUNCIATIONS = "normalize_text", "pronunciations"
"""Their names, in params and in job files."""


SampleRate = Annotated[Literal["native", "48000"], BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""Hertz of a sound; a job file says 48000 without quotes."""


def normalize_param(default: bool) -> Any:
    """The field `normalize_text`."""
    return param(
        default, label="Write out numbers and signs", help="Says $5 as five dollars, 3 km as three kilometres, and the like."
    )


def pronunciations_param() -> Any:
    """The field `pronunciations`: a list as text."""
    return param(
        "",
        label="Pronunciations",
        help="A word a line and how it is said: GIF: jif. Engines that take phonemes also read IPA: Nguyen: /nwin/.",
        max_length=200_000,
        lines=2,
    )


def tidy_list(value: object) -> str:
    """A list of pronunciations, a mapping or text, as the text that is kept; raises ValueError."""
    return as_text(parse_list(value))


Pronunciations = Annotated[str, BeforeValidator(tidy_list)]
"""What the field `pronunciations` takes."""
