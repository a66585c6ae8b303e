"""Jobs as a command gets them: files, standard input, and keys that are set on the command line."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.document.tasks import JobFile, slug
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.yaml_places import MAX_YAML_BYTES, JobFileError, Problem, read_text_file

STDIN = "-"


def load_jobs(files: Sequence[Path], workspace: Workspace, sets: Sequence[str] = ()) -> list[JobFile]:
    """The checked jobs in these files, `-` being standard input; raises JobFileError with the problems of all of them.

    `sets` are `key.key=value` and change each of the jobs. One that is changed so has an id, and with it finals, of its own.
    """
    store = JobStore(workspace)
    jobs: list[JobFile] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(files):
        try:
            jobs.append(_load(path, store, sets))
        except JobFileError as error:
            problems.extend(error.problems)
    if problems:
        raise JobFileError(problems)
    return jobs


def _load(path: Path, store: JobStore, sets: Sequence[str]) -> JobFile:
    from_stdin = str(path) == STDIN
    if not from_stdin and not sets:
        return store.load(_as_given(path.absolute()))
    if from_stdin:
        text = _read_stdin()
        place, shown = Path.cwd() / "stdin.yaml", "stdin"
    else:
        place, shown = path.absolute(), str(path)
        text = read_text_file(place, MAX_YAML_BYTES, "job file")
    job_id = f"{slug(place.stem)}-{digest({'text': text if from_stdin else str(place), 'sets': list(sets)})[:8]}"
    if sets:
        text = with_values(text, sets, shown)
    return parse_job(text, place, job_id=job_id, shown=lambda _: shown, pronunciations=store.pronunciations.of(store.owner))


def with_values(text: str, sets: Sequence[str], shown: str = "the job") -> str:
    """A job's text with these keys set, `params.rate=150` or `tasks.2.text=Hello.`; what can't be read as YAML stays as it is."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    try:
        tree = yaml.load(text)
    except (YAMLError, ValueError):
        return text  # whoever checks the job says what is wrong with it, and where
    if not isinstance(tree, dict):
        return text
    for one in sets:
        path, equals, value = one.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise InputError(f"--set: {shorten(one)} isn't right; write key=value, such as params.rate=150.", key="--set")
        try:
            _put(tree, keys, YAML(typ="safe").load(value))
        except (YAMLError, ValueError) as error:
            raise InputError(f"--set: the value in {shorten(one)} isn't YAML; put it into quotes.", key="--set") from error
        except LookupError as error:
            raise InputError(f"--set: {shown} has no {error.args[0]}, which {shorten(one)} would change.", key="--set") from error
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _put(tree: Any, keys: Sequence[str], value: Any) -> None:
    for place, key in enumerate(keys, 1):
        found = f"{'.'.join(keys[:place])}"
        if isinstance(tree, list):
            if not key.isdecimal() or not 1 <= int(key) <= len(tree):
                raise LookupError(found)
            at: Any = int(key) - 1
        elif isinstance(tree, dict):
            at = key
            if place < len(keys) and tree.get(key) is None:
                tree[key] = {}
        else:
            raise LookupError(found)
        if place == len(keys):
            tree[at] = value
        else:
            tree = tree[at]


def _read_stdin() -> str:
    content = sys.stdin.buffer.read(MAX_YAML_BYTES + 1)
    if len(content) > MAX_YAML_BYTES:
        raise InputError(f"stdin: a job has at most {MAX_YAML_BYTES:,} bytes; put the text into a text_file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("stdin: the text isn't UTF-8; convert it.") from error


def _as_given(path: Path) -> Path:
    """A path as people write it, for messages: relative where it lies below the present folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
