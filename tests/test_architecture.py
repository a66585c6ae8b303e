"""The house as its imports have it: no tower, and the page and the command line start without what is heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "cosmos_workflow"
LONGEST = 18


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imports_at_run_time(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """What runs when a module is imported: not what stands in a function, nor what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports_at_run_time(child)


def imported_by(module: str) -> set[str]:
    found: set[str] = set()
    for statement in imports_at_run_time(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif statement.module:
            members = {f"{statement.module}.{alias.name}" for alias in statement.names}
            found |= (members & MODULES.keys()) or {statement.module}
    return (found & MODULES.keys()) - {module}


@cache
def chain(module: str) -> tuple[str, ...]:
    """The longest way down from a module; the layers forbid circles."""
    return (module, *max((chain(below) for below in imported_by(module)), key=len, default=()))


def test_no_chain_of_imports_is_a_tower() -> None:
    longest = max((chain(module) for module in MODULES), key=len)
    assert len(longest) <= LONGEST, "\n".join(longest)


def test_the_page_is_built_without_torch() -> None:
    code = "import sys, cosmos_workflow.ui.app; print([name for name in ('torch', 'onnxruntime', 'ray') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
