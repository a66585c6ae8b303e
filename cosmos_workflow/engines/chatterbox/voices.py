"""Voices as the models see them, made once a file and kept by its digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cosmos_workflow.engines.chatterbox.recordings import as_package_reads
from cosmos_workflow.files import sha256_of

BUILT_IN = "built-in"
KEPT = 32
"""Voices kept ready; each is a few hundred KB."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice by name (the digest of its file, or "built-in").

    `speech` is the package's T3Cond without exaggeration (None for voice conversion), `sound` what its `embed_ref` gives.
    """

    name: str
    speech: Any
    sound: Mapping[str, Any]


class Voices:
    """The voices of one loaded model; the package's own code prepares them."""

    def __init__(self, upstream: Any, *, speaks: bool, turbo: bool) -> None:
        self._upstream = upstream
        self._speaks = speaks
        self._turbo = turbo
        self._kept: OrderedDict[str, Voice] = OrderedDict()
        self._built_in = self._taken(BUILT_IN)
        if turbo:
            even = upstream.norm_loudness
            # The package's own gives float64 under numpy 2, which the models refuse.
            upstream.norm_loudness = lambda wave, rate: even(wave, rate).astype("float32")

    def find(self, path: Path | None, *, norm_loudness: bool = True) -> Voice:
        """The voice of a file, or the built-in one without a file."""
        if path is None:
            return self._built_in
        name = f"{sha256_of(path)}{'' if norm_loudness or not self._turbo else ':as-it-is'}"
        voice = self._kept.get(name) or self._prepare(name, path, norm_loudness)
        self._kept[name] = voice
        self._kept.move_to_end(name)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return voice

    def _prepare(self, name: str, path: Path, norm_loudness: bool) -> Voice:
        with torch.inference_mode(), as_package_reads(path) as file:
            if not self._speaks:
                self._upstream.set_target_voice(str(file))
            elif self._turbo:
                self._upstream.prepare_conditionals(str(file), norm_loudness=norm_loudness)
            else:
                self._upstream.prepare_conditionals(str(file))
        return self._taken(name)

    def _taken(self, name: str) -> Voice:
        """What the package has just prepared, taken out of it: there it would leak into the next call."""
        if self._speaks:
            conds, self._upstream.conds = self._upstream.conds, None
            return Voice(name, conds.t3, _of_one_type(conds.gen))
        sound, self._upstream.ref_dict = self._upstream.ref_dict, None
        return Voice(name, None, _of_one_type(sound))


def _of_one_type(sound: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.float() if torch.is_tensor(value) and value.is_floating_point() else value for key, value in sound.items()}
