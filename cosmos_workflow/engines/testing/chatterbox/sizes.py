"""Sizes of toy weights: what lets a test build the real classes small.

The package has its sizes in constructor calls. A folder of weights may hold a `sizes.json` that names other constructor
arguments for those calls; `sized(folder)` puts them in place while a model is built, and takes them away again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from cosmos_workflow.engines.chatterbox.loader import know_nano
from cosmos_workflow.errors import UnavailableError

SIZES_FILE = "sizes.json"

_CONSTRUCTORS = {
    "Perceiver": "chatterbox.models.t3.modules.cond_enc",
    "CAMPPlus": "chatterbox.models.s3gen.s3gen",
    "UpsampleConformerEncoder": "chatterbox.models.s3gen.s3gen",
    "ConditionalDecoder": "chatterbox.models.s3gen.s3gen",
    "CausalMaskedDiffWithXvec": "chatterbox.models.s3gen.s3gen",
    "HiFTGenerator": "chatterbox.models.s3gen.s3gen",
    "ConvRNNF0Predictor": "chatterbox.models.s3gen.s3gen",
    "PreLookaheadLayer": "chatterbox.models.s3gen.transformer.upsample_encoder",
    "Upsample1D": "chatterbox.models.s3gen.transformer.upsample_encoder",
}
"""Classes whose arguments may be stated, and the module in which the package looks them up."""

_CONFIGS = ("Llama_520M", "GPT2_medium", "GPT2_small")


@contextmanager
def sized(folder: Path) -> Iterator[None]:
    """While this lasts, the package builds its models at the sizes of `folder/sizes.json`; without that file, at its own.

    Raises UnavailableError for a file that names anything but known classes and numbers.
    """
    with ExitStack() as stack:
        for name, arguments in read_sizes(folder).items():
            _put_in_place(stack, name, arguments)
        yield


def read_sizes(folder: Path) -> dict[str, dict[str, Any]]:
    """The sizes that a folder of weights states, by class; empty without a file."""
    path = folder / SIZES_FILE
    if not path.is_file():
        return {}
    try:
        sizes = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnavailableError(f"{SIZES_FILE} in the folder of weights isn't JSON ({error}); remove it or mend it.") from error
    known = {*_CONSTRUCTORS, *_CONFIGS, "S3Tokenizer", "VoiceEncoder"}
    if not isinstance(sizes, dict) or not all(name in known and _is_numbers(sizes[name]) for name in sizes):
        raise UnavailableError(f"{SIZES_FILE} in the folder of weights must map names such as ConditionalDecoder to numbers.")
    return sizes


def _is_numbers(arguments: Any) -> bool:
    if not isinstance(arguments, Mapping):
        return False
    values = [part for value in arguments.values() for part in (value if isinstance(value, list) else [value])]
    return all(isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**20 for value in values)


def _put_in_place(stack: ExitStack, name: str, arguments: Mapping[str, Any]) -> None:
    if name in _CONSTRUCTORS:
        module = _module(_CONSTRUCTORS[name])
        stack.enter_context(patch.object(module, name, _with(getattr(module, name), arguments)))
    elif name in _CONFIGS:
        know_nano()
        configs = _module("chatterbox.models.t3.llama_configs").LLAMA_CONFIGS
        stack.enter_context(patch.dict(configs, {name: {**configs[name], **arguments}}))
    else:
        owner, config = _config_with_defaults(name)
        stack.enter_context(patch.multiple(config, **arguments))
        stack.enter_context(patch.object(owner, "__defaults__", (config,)))


def _with(constructor: Any, arguments: Mapping[str, Any]) -> Any:
    """`constructor` with `arguments` in place of those it is called with."""
    return partial(_construct, constructor, dict(arguments))


def _construct(constructor: Any, stated: dict[str, Any], *args: Any, **given: Any) -> Any:
    return constructor(*([] if stated else args), **{**given, **stated})


def _config_with_defaults(name: str) -> tuple[Any, Any]:
    """The function whose only default is a config object, and that object."""
    if name == "VoiceEncoder":
        owner = _module("chatterbox.models.voice_encoder.voice_encoder").VoiceEncoder.__init__
    else:
        owner = _module("s3tokenizer.model_v2").S3TokenizerV2.__init__
    return owner, owner.__defaults__[-1]


def _module(name: str) -> ModuleType:
    from importlib import import_module

    return import_module(name)
