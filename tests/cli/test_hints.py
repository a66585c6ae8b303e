"""Each command that a hint tells people to type is one that the command line takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import cosmos_workflow
from cosmos_workflow.cli.entry import app

PACKAGE = Path(cosmos_workflow.__file__).parent
TYPED = re.compile(r"`?cosmos-workflow ((?:ui|run|book|check|check-audio|jobs|engines|runs|repair|weights|bench)\b[^`'\"&;.,)]*)")
ANYTHING = "kokoro"
"""In the place of what is only known when a hint is written: a name of model files, or of a file."""


def words_of(source: str) -> Iterator[tuple[int, list[str]]]:
    """The commands in a module, by line: those that `errors.command` writes, and those that are part of a text."""
    tree = ast.parse(source)
    unprinted = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    unprinted |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
            yield node.lineno, list(map(_text_of, node.args))
        elif isinstance(node, ast.JoinedStr):
            yield from ((node.lineno, found[1].split()) for found in TYPED.finditer("".join(map(_text_of, node.values))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unprinted:
            yield from ((node.lineno, found[1].split()) for found in TYPED.finditer(node.value))


def _text_of(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else ANYTHING


HINTS = [
    pytest.param(words, id=f"{path.relative_to(PACKAGE)}:{line}")
    for path in sorted(PACKAGE.rglob("*.py"))
    for line, words in words_of(path.read_text(encoding="utf-8"))
]


def parse(words: list[str]) -> str:
    """The verb that these words are for; raises the parser's own error where it doesn't take them."""
    verb, rest = typer.main.get_command(app), list(words)
    context = None
    while True:
        context = verb.make_context(verb.name or "cosmos-workflow", rest, parent=context)
        if not hasattr(verb, "resolve_command"):
            return verb.name or ""
        _, verb, rest = verb.resolve_command(context, [*context._protected_args, *context.args])  # type: ignore[attr-defined]


def test_there_are_hints() -> None:
    assert len(HINTS) >= 5


@pytest.mark.parametrize("words", HINTS)
def test_a_hint_works_as_printed(words: list[str]) -> None:
    assert parse(words) in (*words, "ui")


def test_what_is_no_command_is_seen() -> None:
    with pytest.raises(Exception, match="No such"):
        parse(["repair", "--wrokspace", "x"])
    with pytest.raises(Exception, match="No such"):
        parse(["wieghts", "fetch"])
