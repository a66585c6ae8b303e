"""The multilingual tokenizer without a network: the package's own fetches a word list while it is built, even for English."""

from __future__ import annotations

import json
from pathlib import Path

from chatterbox.models.tokenizers.tokenizer import ChineseCangjieConverter, MTLTokenizer
from tokenizers import Tokenizer

from cosmos_workflow.errors import InputError, WorkflowError

VOCABULARY = "grapheme_mtl_merged_expanded_v1.json"
CANGJIE = "Cangjie5_TC.json"


class LanguageTokenizer(MTLTokenizer):
    """The package's tokenizer of a folder of weights; Chinese is prepared at its first use."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / VOCABULARY))
        self._folder = folder
        self._converter: _Cangjie | None = None
        self.check_vocabset_sot_eot()

    def cangjie_converter(self, text: str) -> str:
        """Chinese characters as Cangjie codes."""
        self._converter = self._converter or _Cangjie(self._folder)
        return self._converter(text)

    def check_language(self, language_id: str) -> None:
        """Raise InputError for a language that these weights don't know."""
        if self.tokenizer.token_to_id(f"[{language_id}]") is None:
            raise InputError(f"chatterbox: these weights don't know the language {language_id!r}; choose another language_id.")


class _Cangjie(ChineseCangjieConverter):
    """The package's converter, with the table from the folder of weights instead of the hub."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(folder)

    def _load_cangjie_mapping(self, model_dir: Path | None = None) -> None:
        path = self._folder / CANGJIE
        if not path.is_file():
            raise WorkflowError(
                f"Chinese needs {CANGJIE} beside the weights; fetch the weights of the multilingual variant again."
            )
        for entry in json.loads(path.read_text(encoding="utf-8")):
            word, code = entry.split("\t")[:2]
            self.word2cj[word] = code
            self.cj2word.setdefault(code, []).append(word)

    def _init_segmenter(self) -> None:
        """Words of Chinese by pkuseg, whose model must be on this machine: it would be fetched without asking."""
        from spacy_pkuseg import pkuseg
        from spacy_pkuseg.config import config

        if not Path(config.pkuseg_home, "spacy_ontonotes").is_dir():
            raise WorkflowError(
                "Chinese needs pkuseg's model, which isn't on this machine; run `python -c 'import spacy_pkuseg; "
                "spacy_pkuseg.pkuseg()'` once while online."
            )
        self.segmenter = pkuseg()
