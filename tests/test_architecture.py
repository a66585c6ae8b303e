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


# What only POSIX has. The packages that we stand on have chosen their way by then, as they would on another system.
ELSEWHERE = """
import importlib, os, signal, subprocess, sys
import av, filelock, gradio, huggingface_hub, lxml, pandas, soundfile, sqlalchemy, typer
sys.modules.update(dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios")))
for name in "fork getpgrp geteuid getuid killpg sched_getaffinity setsid sysconf waitid WNOWAIT O_DIRECTORY".split():
    vars(os).pop(name, None)
for name in "SIGALRM SIGHUP SIGIO SIGKILL SIGSTOP SIGUSR1".split():
    vars(signal).pop(name, None)
for name in sys.argv[1:]:
    importlib.import_module(name)
print([name for name in ("torch", "onnxruntime", "ray") if name in sys.modules])
"""
PROCESSES = ("cosmos_workflow.gpu_dispatch.child", "cosmos_workflow.gpu_dispatch.ray")
"""What runs in a worker's process; on another system that would be a module of its own."""


def of_the_app(module: str) -> bool:
    """Whether the page, the command line or a program of one's own imports it: no engine's implementation, and no bench."""
    apart = ("cosmos_workflow.bench", "cosmos_workflow.engines.", "cosmos_workflow.__main__", *PROCESSES)
    return not module.startswith(apart) or (module.count(".") == 2 and MODULES[module].name == "__init__.py")


def test_the_app_is_imported_without_torch_and_without_what_only_posix_has() -> None:
    modules = sorted(filter(of_the_app, MODULES.keys() - {"cosmos_workflow.bench"}))
    done = subprocess.run([sys.executable, "-c", ELSEWHERE, *modules], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
