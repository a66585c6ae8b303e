"""Sizes of toy weights: what lets a test build the real classes small.

The package has its sizes in constructor calls. A folder of weights may hold a `sizes.json` that names other constructor
arguments for those calls; `sized(folder)` puts them in place while a model is built, and takes them away again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cosmos_workflow.engines.chatterbox.loader import know_nano

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


@contextmanager
def sized(folder: Path) -> Iterator[None]:
    """While this lasts, the package builds its models at the sizes of `folder/sizes.json`; without that file, at its own."""
    path = folder / SIZES_FILE
    with ExitStack() as stack:
        for name, arguments in json.loads(path.read_text(encoding="utf-8")).items() if path.is_file() else ():
            _put_in_place(stack, name, arguments)
        yield


def _put_in_place(stack: ExitStack, name: str, arguments: Mapping[str, Any]) -> None:
    if name in _CONSTRUCTORS:
        module = import_module(_CONSTRUCTORS[name])
        stack.enter_context(patch.object(module, name, partial(_construct, getattr(module, name), arguments)))
    elif name.startswith(("Llama", "GPT2")):
        know_nano()
        configs = import_module("chatterbox.models.t3.llama_configs").LLAMA_CONFIGS
        stack.enter_context(patch.dict(configs, {name: {**configs[name], **arguments}}))
    else:
        owner, config = _config_with_defaults(name)
        stack.enter_context(patch.multiple(config, **arguments))
        stack.enter_context(patch.object(owner, "__defaults__", (config,)))


def _construct(constructor: Any, stated: Mapping[str, Any], *args: Any, **given: Any) -> Any:
    """It with what is stated in place of what it is called with."""
    return constructor(*([] if stated else args), **{**given, **stated})


def _config_with_defaults(name: str) -> tuple[Any, Any]:
    """The function whose only default is a config object, and that object."""
    if name == "VoiceEncoder":
        owner = import_module("chatterbox.models.voice_encoder.voice_encoder").VoiceEncoder.__init__
    else:
        owner = import_module("s3tokenizer.model_v2").S3TokenizerV2.__init__
    return owner, owner.__defaults__[-1]
