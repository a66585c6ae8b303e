"""Presets: configurations by name, each owner's and each engine's apart."""

from __future__ import annotations

import pytest

from cosmos_workflow.errors import InputError
from cosmos_workflow.store.store import Store


def test_a_preset_comes_back_as_it_was_saved_and_nobody_else_sees_it(store: Store) -> None:
    assert store.presets.of("local", "espeak") == {}
    assert store.presets.save("local", "espeak", "  slow   speech ", {"rate": 90}, {}) == "slow speech"
    store.presets.save("local", "espeak", "Fast", {"rate": 300}, {})
    assert list(store.presets.of("local", "espeak")) == ["Fast", "slow speech"]
    assert store.presets.of("local", "espeak")["slow speech"] == {"params": {"rate": 90}, "weights": {}}
    assert store.presets.of("local", "kokoro") == store.presets.of("ann", "espeak") == {}
    store.presets.delete("local", "espeak", "Fast")
    assert list(store.presets.of("local", "espeak")) == ["slow speech"]


def test_what_is_wrong_is_said_and_nothing_is_lost(store: Store) -> None:
    store.presets.save("local", "espeak", "one", {}, {})
    for name in ("", " ", "x" * 81):
        with pytest.raises(InputError, match="give it a name"):
            store.presets.save("local", "espeak", name, {}, {})
    with pytest.raises(InputError, match="choose the one to delete"):
        store.presets.delete("local", "espeak", "two")
    written = store.presets.path("local")
    for text in ("{", "[]", '{"espeak": {"one": {"params": 3}}}'):
        written.write_text(text)
        with pytest.raises(InputError, match="isn't what this program wrote"):
            store.presets.save("local", "espeak", "two", {}, {})
        assert written.read_text() == text
