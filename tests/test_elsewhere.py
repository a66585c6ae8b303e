"""The package where nothing is there that only POSIX systems have: it is imported, and it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import DEADLINE

ROOT = Path(__file__).parents[1]
ELSEWHERE = ROOT / "tests" / "plugin" / "elsewhere"
GONE = "import os, signal; assert not hasattr(os, 'fork') and not hasattr(signal, 'SIGKILL')\n"
EXTRAS = {"faster_whisper", "manim", "ray", "typst", "matplotlib", "mpire", "pebble", "kokoro_onnx", "rapidfuzz"}
HEAVY = (
    "torch.distributed.checkpoint, transformers.modeling_utils, chatterbox.mtl_tts, diffusers, pandas, gradio, av, lxml, "
    "soundfile, sqlalchemy, typer, huggingface_hub"
)
IMPORTS = """
import importlib
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print((error.name or "").partition(".")[0])
"""
MAP = """
import sys
from pathlib import Path
from cosmos_workflow.gpu_dispatch import BaseWorker, Dispatcher

class Worker(BaseWorker):
    def process(self, data):
        import os, signal
        assert not hasattr(os, "fork") and not hasattr(signal, "SIGKILL")
        if data == 3:
            os._exit(7)
        return data * data

if __name__ == "__main__":
    with Dispatcher(Worker, [None, None], max_retries=0) as dispatcher:
        for outcome in dispatcher.map(range(5), ordered=True):
            print(getattr(outcome, "data", None))
"""


def run_elsewhere(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command of Python there; it can't tell from the platform's name where it is."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ELSEWHERE), *filter(None, [os.environ.get("PYTHONPATH")])])}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env=environ, cwd=cwd, timeout=DEADLINE
    )


@pytest.mark.long
def test_every_module_is_imported() -> None:
    package = ROOT / "cosmos_workflow"
    paths = [path.relative_to(ROOT).with_suffix("") for path in package.rglob("*.py")]
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in paths if path.name != "__main__")
    # What has chosen its way too comes before anything is taken away.
    code = f"import sys, {HEAVY}\nsys.path.insert(0, {str(ELSEWHERE)!r})\n"
    code += "sys.modules.pop('sitecustomize', None)\nimport sitecustomize\n"
    # What these need of POSIX is theirs to say; they are extras, here as where they aren't installed.
    code += "sys.modules |= dict.fromkeys(('manim', 'ray'))\n"
    done = subprocess.run(
        [sys.executable, "-c", code + GONE + IMPORTS, *names], capture_output=True, text=True, check=False, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= EXTRAS


def test_a_dispatcher_works(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(GONE + MAP)
    done = run_elsewhere(str(program), cwd=tmp_path)
    assert done.stdout.split() == ["0", "1", "4", "None", "16"], done.stderr


def test_a_job_is_run(tmp_path: Path) -> None:
    job = ROOT / "assets" / "jobs" / "welcome.yaml"
    done = run_elsewhere(
        "-m", "cosmos_workflow", "run", str(job), "--workspace", str(tmp_path / "work"), "--out", str(tmp_path / "out")
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert [path.stat().st_size > 1000 for path in (tmp_path / "out").rglob("*.wav")] == [True, True]
