"""The fetch of model files from the hub into its cache: what it would take, and the fetch itself, which can be broken off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cosmos_workflow.engines.model_files.digests import digest_of, is_digest
from cosmos_workflow.engines.model_files.sets import ModelFiles, cache_folder, cached_file, check_model_files, damaged_sentence
from cosmos_workflow.errors import UnavailableError

ANSWER_SECONDS = 5.0
"""How long the hub may take to answer at all, before it counts as out of reach."""


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What a fetch would do: bytes of the whole set, bytes that aren't here yet, and the folder they go to.

    Of a file that a broken fetch left unfinished, what has come counts as here.
    """

    total_bytes: int
    missing_bytes: int
    place: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """Where a fetch is: the file that is coming, and bytes of all files, those included that were here before."""

    file: str
    done_bytes: int
    total_bytes: int

    @property
    def fraction(self) -> float:
        return self.done_bytes / self.total_bytes if self.total_bytes else 1.0


def plan_fetch(model: ModelFiles, endpoint: str | None = None) -> FetchPlan:
    """Ask the hub what a fetch would do; raises UnavailableError where the hub or the repository can't be reached."""
    offered = _offered(model, endpoint)
    missing = sum(file.size - _bytes_here(model, file) for file in offered)
    return FetchPlan(sum(file.size for file in offered), missing, cache_folder(model), tuple(file.name for file in offered))


def fetch_model_files(
    model: ModelFiles, on_progress: Callable[[FetchProgress], None] = lambda _: None, endpoint: str | None = None
) -> Path:
    """Fetch what is missing of a set into the hub's cache, check it, and return its folder.

    A fetch that was broken off goes on where it was. An exception of `on_progress` ends it, and leaves what has come.
    Raises UnavailableError where the hub can't be reached, the disk is full, or a file isn't what the hub says it is.
    """
    offered = _offered(model, endpoint)
    total, before = sum(file.size for file in offered), 0
    path = Path()
    for file in offered:

        def say(done: int, name: str = file.name, before: int = before) -> None:
            on_progress(FetchProgress(name, before + done, total))

        say(0)
        with _hub_errors(model):
            path = _fetch_file(model, file, say, endpoint)
        before += file.size
        say(file.size)
    folder = Path(str(path)[: -len(offered[-1].name)])
    check_model_files(model, folder)
    return folder


@dataclass(frozen=True, slots=True)
class _Offered:
    """A file that the hub has; `digest` is the SHA-256 of a large one, empty for a small one."""

    name: str
    size: int
    digest: str


def _offered(model: ModelFiles, endpoint: str | None) -> list[_Offered]:
    """The files of a set that the hub has. What is needed comes last: where it is, the rest is too."""
    from huggingface_hub import HfApi

    with _hub_errors(model):
        try:
            info = HfApi(endpoint=endpoint).model_info(
                model.repo, revision=model.revision, files_metadata=True, timeout=ANSWER_SECONDS
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # no JSON, or JSON of something else
            raise _unreadable(model) from error
    files: dict[str, _Offered] = {}
    for file in info.siblings or []:
        digest = file.lfs.sha256 if file.lfs else ""
        if digest and not is_digest(digest, 64):
            raise _unreadable(model)
        path = PurePosixPath(file.rfilename)
        if not path.is_absolute() and ".." not in path.parts and "\\" not in file.rfilename:
            files[file.rfilename] = _Offered(file.rfilename, file.size or 0, digest)
    gone = model.lacking(files)
    if gone:
        raise UnavailableError(f"The hub's repository {model.repo} has no {gone[0]}; this version can't use its weights.")
    return [files[name] for name in model.pick(files)]


def _bytes_here(model: ModelFiles, file: _Offered) -> int:
    if cached_file(model, file.name) is not None:
        return file.size
    partial = _partial(model, file.digest)
    return min(partial.stat().st_size, file.size) if file.digest and partial.is_file() else 0


def _partial(model: ModelFiles, digest: str) -> Path:
    """Where a large file stands until it is complete."""
    return cache_folder(model) / "blobs" / f"{digest}.partial"


def _fetch_file(model: ModelFiles, offered: _Offered, say: Callable[[int], None], endpoint: str | None) -> Path:
    """Bring a file to its place in the cache, going on with what an earlier fetch left; returns where it is.

    Under which name it is kept and what it is compared with is the hub's to say: only digests are taken, and of a large file
    the one that was listed.
    """
    from filelock import FileLock
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get

    url = hf_hub_url(model.repo, offered.name, revision=model.revision, endpoint=endpoint)
    known = get_hf_file_metadata(url, timeout=ANSWER_SECONDS, endpoint=endpoint)
    digest, commit = str(known.etag), str(known.commit_hash)
    is_known = is_digest(digest, 64) or (is_digest(digest, 40) and not offered.digest)
    if known.size is None or not is_known or not is_digest(commit, 40) or offered.digest not in ("", digest):
        raise _unreadable(model)
    folder = cache_folder(model)
    blob = folder / "blobs" / digest
    blob.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(model, digest)
    with FileLock(f"{partial}.lock"):
        if not blob.exists():
            with partial.open("ab") as file:
                http_get(known.location, file, resume_size=file.tell(), expected_size=known.size, tqdm_class=_bar_class(say))
            if digest_of(partial, digest) != digest:
                partial.unlink()
                raise UnavailableError(damaged_sentence(model, offered.name))
            partial.replace(blob)
        return _link(model, offered.name, blob, commit)


def _link(model: ModelFiles, name: str, blob: Path, commit: str) -> Path:
    """Have the cache show a blob under its file's name in a commit, and the commit under the revision, as its client does."""
    folder = cache_folder(model)
    path = folder / "snapshots" / commit / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.unlink(missing_ok=True)
        path.symlink_to(os.path.relpath(blob, path.parent))
    if model.revision != commit:
        reference = folder / "refs" / (model.revision or "main")
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(commit, encoding="ascii")
    return path


@contextmanager
def _hub_errors(model: ModelFiles) -> Iterator[None]:
    """Errors of the hub's client as one sentence."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise UnavailableError(f"{model.repo} can't be fetched while HF_HUB_OFFLINE is set; unset it.") from error
    except LocalEntryNotFoundError as error:
        raise _unreachable(model) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        todo = "accept its licence on the hub and run `hf auth login`" if status in (401, 403) else "try again later"
        raise UnavailableError(f"The hub didn't give {model.repo} (status {status}); {todo}.") from error
    except OSError as error:
        if error.errno is None:
            raise _unreachable(model) from error
        raise UnavailableError(f"The weights of {model.title} can't be written ({error.strerror}); make room.") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in {"httpx", "httpx2", "httpcore", "httpcore2"}:
            raise _unreachable(model) from error
        raise


def _unreadable(model: ModelFiles) -> UnavailableError:
    return UnavailableError(f"The hub's answer about {model.repo} isn't one of a hub; check HF_ENDPOINT and the network.")


def _unreachable(model: ModelFiles) -> UnavailableError:
    return UnavailableError(f"The hub can't be reached to fetch {model.repo}; check the network and try again.")


def _bar_class(say: Callable[[int], None]) -> Any:
    """A bar as the hub's client knows it, which draws nothing and says how many bytes of the file are here."""
    from tqdm.std import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})
            self.n = options.get("initial", 0)

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            say(int(self.n))
            return None

    return Bar
