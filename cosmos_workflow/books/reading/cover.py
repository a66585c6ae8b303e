"""A book's cover as a JPEG that every player shows."""

from __future__ import annotations

import io
import warnings

MAX_SIDE = 1400
"""Pixels; what stores ask for, and few enough for a player's memory."""
MAX_PIXELS = 100_000_000


def cover_of(content: bytes) -> bytes:
    """A picture as a JPEG of at most `MAX_SIDE` pixels a side; b"" for what isn't a picture, or one that unpacks endlessly."""
    from PIL import Image

    if not content:
        return b""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    return b""
                picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
                shown = picture.convert("RGB")
        shown.thumbnail((MAX_SIDE, MAX_SIDE))
        out = io.BytesIO()
        shown.save(out, "JPEG", quality=88)
        return out.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return b""  # a book without its cover is a book still
