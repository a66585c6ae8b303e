"""Weights: found in a folder or the hub's cache, fetched with progress from a hub on loopback, and checked before use."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_support import Hub, open_hub, own_cache
from support import digest

from cosmos_workflow.engines.model_files.fetching import FetchProgress, fetch_model_files, plan_fetch
from cosmos_workflow.engines.model_files.sets import (
    FOLDER_VARIABLE,
    ModelFiles,
    check_model_files,
    find_model_files,
    model_files_state,
    require_model_files,
)
from cosmos_workflow.errors import UnavailableError

TOY = ModelFiles(
    "toy", "Toy", "someone/toy-model", files=("model.safetensors", "tokenizer.json"), optional=("extra.json", "none.json")
)
FILES = {
    "model.safetensors": bytes(range(256)) * 8192,
    "tokenizer.json": b'{"a": 1}',
    "extra.json": b"{}",
    "unasked.bin": b"never fetched",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on loopback that holds FILES, an empty cache of its own, and no folder of weights."""
    own_cache(tmp_path, monkeypatch)
    with open_hub(TOY.repo, FILES) as made:
        yield made


def test_a_fetch_says_size_and_place_first_and_progress_on_the_way(hub: Hub, tmp_path: Path) -> None:
    plan = plan_fetch(TOY, hub.address)
    needed = sum(len(FILES[name]) for name in ("model.safetensors", "tokenizer.json", "extra.json"))
    assert (plan.total_bytes, plan.missing_bytes) == (needed, needed)
    assert plan.place == tmp_path / "hub" / "models--someone--toy-model"
    seen: list[FetchProgress] = []
    folder = fetch_model_files(TOY, seen.append, hub.address)
    assert folder == find_model_files(TOY)
    assert folder.is_relative_to(plan.place)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: FILES[name] for name in ("model.safetensors", "tokenizer.json", "extra.json")
    }
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert {progress.file for progress in seen} == {"model.safetensors", "tokenizer.json", "extra.json"}
    assert model_files_state(TOY)[1] == needed
    assert plan_fetch(TOY, hub.address).missing_bytes == 0


def test_what_is_here_isnt_fetched_again(hub: Hub) -> None:
    fetch_model_files(TOY, endpoint=hub.address)
    fetch_model_files(TOY, endpoint=hub.address)
    assert len(hub.downloads("model.safetensors")) == 1


def test_a_fetch_that_its_user_breaks_off_goes_on_where_it_was(hub: Hub) -> None:
    class EnoughError(Exception):
        pass

    def stop(progress: FetchProgress) -> None:
        if progress.done_bytes > 500_000:
            raise EnoughError

    with pytest.raises(EnoughError):
        fetch_model_files(TOY, stop, hub.address)
    assert find_model_files(TOY) is None
    plan = plan_fetch(TOY, hub.address)
    assert plan.missing_bytes < plan.total_bytes - 400_000, "what has come isn't missing"
    folder = fetch_model_files(TOY, endpoint=hub.address)
    assert digest(folder / "model.safetensors") == digest(FILES["model.safetensors"])
    again = hub.downloads("model.safetensors")[-1]
    assert int(again.removeprefix("bytes=").partition("-")[0]) > 400_000, "what had come wasn't asked for again"


def test_a_line_that_breaks_on_the_way_is_taken_up_again(hub: Hub) -> None:
    hub.cut["model.safetensors"] = 1_000_000
    folder = fetch_model_files(TOY, endpoint=hub.address)
    assert digest(folder / "model.safetensors") == digest(FILES["model.safetensors"])
    assert hub.downloads("model.safetensors")[-1].startswith("bytes=")


def test_a_file_that_isnt_what_the_hub_says_is_refused(hub: Hub) -> None:
    content = FILES["model.safetensors"]
    hub.files["model.safetensors"] = content[:100] + b"!" + content[101:]
    with pytest.raises(UnavailableError, match=r"model\.safetensors of Toy is damaged.*weights fetch toy"):
        fetch_model_files(TOY, endpoint=hub.address)


def test_damage_on_the_disk_is_found_before_the_first_use(hub: Hub) -> None:
    folder = fetch_model_files(TOY, endpoint=hub.address)
    blob = (folder / "model.safetensors").resolve()
    blob.write_bytes(b"!" + blob.read_bytes()[1:])
    with pytest.raises(UnavailableError, match="is damaged"):
        check_model_files(TOY, folder)


def test_a_checked_file_isnt_read_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch_model_files(TOY, endpoint=hub.address)

    def unread(path: Path, like: str) -> str:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr("cosmos_workflow.engines.model_files.sets.digest_of", unread)
    check_model_files(TOY, folder)


def test_a_repository_that_lacks_a_file_or_isnt_there_is_one_sentence(hub: Hub) -> None:
    del hub.files["tokenizer.json"]
    with pytest.raises(UnavailableError, match=r"repository someone/toy-model has no tokenizer\.json"):
        fetch_model_files(TOY, endpoint=hub.address)
    with pytest.raises(UnavailableError, match=r"The hub didn't give someone/other \(status 404\)"):
        fetch_model_files(ModelFiles("other", "Other", "someone/other", ("a",)), endpoint=hub.address)


def test_a_gated_repository_says_whose_licence_to_accept(hub: Hub) -> None:
    hub.gated = True
    with pytest.raises(UnavailableError, match="accept its licence on the hub and run `hf auth login`"):
        plan_fetch(TOY, hub.address)


def test_without_a_network_a_fetch_says_so_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="hub can't be reached"):
        fetch_model_files(TOY, endpoint="http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match="while HF_HUB_OFFLINE is set; unset it"):
        fetch_model_files(TOY, endpoint=hub.address)
    assert time.monotonic() - begun < 15, "no retries for half a minute"


PATTERNED = ModelFiles(
    "branch", "Branch", TOY.repo, ("tokenizer.json", "lists/*"), ("part-*-of-*.bin",), revision="some/branch", folder="toy-branch"
)


def test_a_pattern_stands_for_every_file_that_it_fits(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"lists/words": b"one", "lists/deep/er": b"two", "part-1-of-2.bin": b"3" * 1000, "part-2-of-2.bin": b"4" * 1000}
    hub.files |= more
    hub.stated = dict(hub.files)
    hub.files["../lists/outside"] = b"never fetched"
    assert plan_fetch(PATTERNED, hub.address).files[-1] == "tokenizer.json", "what a broken fetch is known by comes last"
    folder = fetch_model_files(PATTERNED, endpoint=hub.address)
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert here == {*more, "tokenizer.json"}
    assert find_model_files(PATTERNED) == folder
    assert model_files_state(PATTERNED)[1] == 2006 + len(FILES["tokenizer.json"])
    (folder / "lists/deep/er").resolve().write_bytes(b"owt")
    with pytest.raises(UnavailableError, match="lists/deep/er of Branch is damaged"):
        check_model_files(PATTERNED, folder)
    own = tmp_path / "mine" / "toy-branch"
    (own / "lists").mkdir(parents=True)
    (own / "tokenizer.json").write_bytes(b"{}")
    monkeypatch.setenv(FOLDER_VARIABLE, str(own.parent))
    assert find_model_files(PATTERNED) == folder, "a list is needed"
    (own / "lists/words").write_bytes(b"one")
    assert find_model_files(PATTERNED) == own, "its folder is named by itself, not by the repository"


def test_a_repository_without_a_file_for_a_needed_pattern_is_one_sentence(hub: Hub) -> None:
    with pytest.raises(UnavailableError, match=r"has no lists/\*"):
        plan_fetch(PATTERNED, hub.address)


def test_a_folder_of_ones_own_comes_before_the_cache(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = fetch_model_files(TOY, endpoint=hub.address)
    own = tmp_path / "mine" / "toy-model"
    own.mkdir(parents=True)
    monkeypatch.setenv(FOLDER_VARIABLE, str(own.parent))
    (own / "model.safetensors").write_bytes(b"1")
    assert find_model_files(TOY) == cached, "an incomplete folder doesn't count"
    (own / "tokenizer.json").write_bytes(b"2")
    assert find_model_files(TOY) == own
    assert model_files_state(TOY)[1] == 2


def test_digests_beside_ones_own_files_are_checked(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "mine" / "toy-model"
    own.mkdir(parents=True)
    for name in TOY.files:
        (own / name).write_bytes(FILES[name])
    sums = "".join(f"{digest(FILES[name])}  {name}\n" for name in TOY.files)
    (own / "SHA256SUMS").write_text(sums)
    check_model_files(TOY, own)
    (own / "tokenizer.json").write_bytes(b"something else")
    with pytest.raises(UnavailableError, match=r"tokenizer\.json of Toy is damaged"):
        check_model_files(TOY, own)


def test_without_weights_one_sentence_says_what_to_do(hub: Hub) -> None:
    with pytest.raises(UnavailableError) as raised:
        require_model_files(TOY)
    sentence = str(raised.value)
    assert sentence.count(". ") == 0
    assert "cosmos-workflow weights fetch toy" in sentence
    assert FOLDER_VARIABLE in sentence
    assert not hub.requests, "looking asks nobody"


OUTSIDE = ("../../x", f"../../{'a' * 64}", "/nowhere/x", "x", "", "a" * 63, "A" * 64, f"{'a' * 64}/../../../x", "b" * 64)


@pytest.mark.parametrize("etag", OUTSIDE)
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_goes_under_its_digest_and_nowhere_else(hub: Hub, tmp_path: Path, name: str, etag: str) -> None:
    hub.etags[name] = etag
    with pytest.raises(UnavailableError):
        fetch_model_files(TOY, endpoint=hub.address)
    repository = tmp_path / "hub" / "models--someone--toy-model"
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink() and path.suffix != ".lock"]
    assert {path.parent for path in kept} <= {repository / "blobs", repository / "refs", tmp_path / "cache" / "cosmos-workflow"}
    assert not any(path.name == etag for path in kept)


@pytest.mark.parametrize(
    "answer", [b"<html>no hub</html>", b"[]", b"null", b"{}", b'{"siblings": [1]}', b'{"id": 1, "siblings": {}}']
)
def test_an_answer_that_is_no_hubs_is_one_sentence(hub: Hub, answer: bytes) -> None:
    hub.answer = answer
    with pytest.raises(UnavailableError) as caught:
        plan_fetch(TOY, hub.address)
    assert str(caught.value).count(".") <= 3
