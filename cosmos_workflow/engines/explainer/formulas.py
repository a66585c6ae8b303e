"""Formulas in Typst's notation, checked before anything is drawn. Imports typst: for the worker only."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import typst  # pyright: ignore[reportMissingImports] - the extra

from cosmos_workflow.engines.explainer.outline import Outline
from cosmos_workflow.engines.explainer.themes import FORMULA_WIDTH, LARGEST_FORMULA, SMALLEST_FORMULA
from cosmos_workflow.errors import InputError

_POINTS = 10
_PAGE = f"#set page(width: auto, height: auto, margin: 0pt, fill: none)\n#set text(size: {_POINTS}pt)\n"
_SIZE = re.compile(rb'<svg[^>]*\bwidth="([\d.]+)pt"')


def check_formulas(outline: Outline, where: str = "explainer") -> None:
    """Raise InputError, scene by scene, for formulas that Typst can't set or that would be too small to read."""
    problems = []
    with TemporaryDirectory() as folder:
        for number, scene in enumerate(outline.scenes, 1):
            if scene.formula and (problem := _problem(scene.formula, Path(folder))):
                problems.append(f"scenes[{number}].formula: {problem}")
    if problems:
        raise InputError(f"{where}: {'; '.join(problems)}.")


def _problem(formula: str, folder: Path) -> str:
    source = folder / "formula.typ"
    source.write_text(f"{_PAGE}$ {formula} $", encoding="utf-8")
    try:
        # A root without any other file: nothing could be read, even if a way to ask for it were overlooked.
        svg = typst.compile(source, root=folder, format="svg", ignore_system_fonts=True)
    except typst.TypstError as error:
        return f'Typst says {error.message!r}; use its math notation, such as sqrt(x), a/b or "words" in quotes'
    found = _SIZE.search(svg) if isinstance(svg, bytes) else None
    if found is None:
        return "it has more than one page; shorten it"
    if b"<use" not in svg and b"<path" not in svg:
        return "it shows nothing; write a formula"
    width = max(float(found[1]) / _POINTS, 0.1)
    if min(LARGEST_FORMULA, FORMULA_WIDTH / width) < SMALLEST_FORMULA:
        return "it is too wide to be read; break it into lines with a backslash, or into two scenes"
    return ""
