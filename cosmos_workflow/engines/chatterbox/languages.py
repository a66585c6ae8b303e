"""The multilingual tokenizer without a network: the package's own fetches a word list while it is built, even for English."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from chatterbox.models.tokenizers import tokenizer as package
from tokenizers import Tokenizer

from cosmos_workflow.engines.chatterbox.front_ends import CANGJIE, check_chinese, is_readable, unreadable
from cosmos_workflow.errors import InputError


class LanguageTokenizer(package.MTLTokenizer):
    """The package's tokenizer of a vocabulary; `folder` holds the table that Chinese needs, which is read at its first use."""

    def __init__(self, folder: Path, vocabulary: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(vocabulary))
        self._folder = folder
        self._converter: _Cangjie | None = None
        self.check_vocabset_sot_eot()

    def cangjie_converter(self, text: str) -> str:
        """Chinese characters as Cangjie codes."""
        self._converter = self._converter or _Cangjie(self._folder)
        return self._converter(text)

    def encode(self, txt: str, language_id: str | None = None, lowercase: bool = True, nfkd_normalize: bool = True) -> list[int]:
        """As the package's own; raises InputError for a text that its front end, missing or failing, left unreadable."""
        prepare = {"he": package.add_hebrew_diacritics, "ja": package.hiragana_normalize, "ru": package.add_russian_stress}
        if language_id in prepare:
            text = self.preprocess_text(txt, language_id, lowercase, nfkd_normalize)
            if not is_readable(language_id, text) and not is_readable(language_id, prepare[language_id](text)):
                raise unreadable(language_id)
        return super().encode(txt, cast("str", language_id), lowercase, nfkd_normalize)

    def check_language(self, language_id: str) -> None:
        """Raise InputError for a language that these weights don't know."""
        if self.tokenizer.token_to_id(f"[{language_id}]") is None:
            raise InputError(f"chatterbox: these weights don't know the language {language_id!r}; choose another language_id.")


class _Cangjie(package.ChineseCangjieConverter):
    """The package's converter, with the table from the folder of weights instead of the hub."""

    def __init__(self, folder: Path) -> None:
        check_chinese(folder)
        self._folder = folder
        super().__init__(folder)

    def _load_cangjie_mapping(self, model_dir: Path | None = None) -> None:
        for entry in json.loads((self._folder / CANGJIE).read_text(encoding="utf-8")):
            word, code = entry.split("\t")[:2]
            self.word2cj[word] = code
            self.cj2word.setdefault(code, []).append(word)

    def _init_segmenter(self) -> None:
        """Words of Chinese by pkuseg."""
        from spacy_pkuseg import pkuseg

        self.segmenter = pkuseg()
