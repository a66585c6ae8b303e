"""Marks that are written and not spoken: Markdown and emoji."""

from __future__ import annotations

import re


def without_markdown(text: str) -> str:
    """Text without the marks of Markdown; a link is its words."""
    if not re.search(r"[#*_`~>\[|-]", text):
        return text
    text = re.sub(r"!\[([^\]\n]*)\]\([^)\n]*\)", r"\1", text)
    text = re.sub(r"\[([^\]\n]+)\]\((?:https?://|www\.|#|/|mailto:)[^)\n]*\)", r"\1", text)
    text = re.sub(r"^[ \t]*(?:#{1,6}|>+|[-*+•])[ \t]+", "", text, flags=re.MULTILINE)
    text = re.sub(r"^[ \t]*(?:[-*_][ \t]*){3,}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\*\*\*|\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])", r"\1", text)
    text = re.sub(r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)", r"\1", text)
    return re.sub(r"`([^`\n]*)`", r"\1", text)


def without_emoji(text: str) -> str:
    """Text without emoji."""
    if text.isascii():
        return text
    from emoji import replace_emoji

    def kept(found: str, _: object) -> str:
        return found if found in "©®™" or found[0].isdigit() else ""

    return re.sub(r"(?<=\S)[ \t]{2,}(?=\S)", " ", replace_emoji(text, kept))
