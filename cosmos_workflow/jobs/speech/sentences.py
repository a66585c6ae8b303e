"""Where sentences end: a border finder for 200 languages, and what it doesn't know of titles, quotations and emoji.

A border too few costs nothing, since it is only not used; one too many is heard as a pause in the middle of a sentence. So what
stands here only ever takes borders away.
"""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

WINDOW = 4000
"""Characters that the border finder sees at once: its time grows with their square where there are many quotations."""

_BEHIND, _AHEAD = 32, 80
"""Characters before and behind a border that it is recognised by."""

_EVERYWHERE = "dr Dra Mme Mlle MM Mr Mrs Ms Nr No Prof Sr Sra"
_BEFORE_MORE = {
    "cs": "Bc čís doc Ing JUDr Mgr MUDr např nám p pí PhDr RNDr str sv tj tzn tzv ul",
    "da": "bl.a ca dvs f.eks fr frk hr kl resp",
    "de": "Abb Abs Anm Art Aufl Bd Bde bspw bzw ca d.h Dipl Dres evtl exkl Fr Frl ggf Hr Hrn Hrsg i.d.R Ing inkl insb Kap Mag "
    "Nrn sog St Tab u.a v.a vgl z.B zzgl",
    "el": "Αγ αρ δηλ Δρ κ κα κκ κ.κ π.χ σελ",
    "en": "al approx ca Capt cf Ch Cmdr Col e.g Fig Figs Ft Gen Gov Hon i.e Lt Maj Messrs Mmes Mt Mx Rep Rev Sen Sgt viz Vol vs",
    "es": "aprox Arq art Av Avda cap Cnel D Dª Dn Dña Dras Dres EE fig Gral Ing Lic Mons núm pág págs Profa Sras Sres Srta Sta "
    "Sto Ud Uds Vd Vds vol",
    "fi": "dipl.ins esim hra n ns nti os rva ts",
    "fr": "apr art av boul cf chap éd env fig M Me Messrs Mgr Mgrs Mlles Mmes nos p pp Pr St Ste Stes Sts tél vol",
    "hi": "डॉ श्री श्रीमती प्रो पं कु",
    "hu": "id ifj kb ld özv pl ún",
    "it": "Arch Art Artt Avv ca cap Dott Dott.ssa es fig Geom Ing Mons On pag pagg Prof.ssa Rag Sig Sig.na Sig.ra Sigg SS vol",
    "nb": "bl.a ca dvs f.eks fr frk hr kl",
    "nl": "art bijv blz bv ca Dhr Drs Ds d.w.z excl Hr incl Ing Ir m.b.t Mej Mevr m.n Mw o.a pag St",
    "pl": "al gen hab inż kpt ks m.in mgr np ok pl płk p rys str św tab tj tzn tzw ul",
    "pt": "aprox art Av cap D Drs Eng Exma Exmo fig nº pág págs Profa Sras Srs Srta Sta Sto tel vol",
    "ro": "art d-na dl dna ing lt nr pag str",
    "ru": "акад гл гр доц им кв напр пер пл пр просп проф рис св см ср стр табл т.е тов тт ул",
    "sk": "Bc čís doc Ing JUDr Mgr MUDr napr nám p PhDr str sv tj tzn tzv ul",
    "sl": "dr g ga gdč inž npr oz prof sv tj t.i",
    "sv": "bl.a ca dvs d.v.s fr frk hr kl resp t.ex",
    "tr": "Av Cad Doç Hz Mah Sn Sok Yrd",
    "uk": "акад буд вул гл див доц ім кв напр просп проф рис св стор тов",
}
"""By language, abbreviations that go on: a title before its name, a word before its number. A full stop there ends nothing."""

_INITIAL = re.compile(r"(?:^|[\s(„“\"'’«])[^\W\d_]\.\s*$")
_ORDINAL = re.compile(r"(?:^|\s)\d{1,2}\.\s*$")
_ORDINAL_LANGUAGES = {"cs", "da", "de", "et", "fi", "hr", "hu", "is", "lv", "nb", "nn", "no", "pl", "sk", "sl", "sr", "tr"}
_BEFORE_NUMBER = re.compile(r"(?:^|[\s(])[^\W\d_]{1,4}[.º°]{1,2}\s*$")

_ASKED = re.compile(r"[?!…？！‼⁉;][\"'”’»“‘›」』)]*\s*$")
_QUOTED = re.compile(r"[.?!…。？！;][\"'”’»“‘›」』]+\s*$")
_OPENING = re.compile(r"(?:^|[\s(])[\"'”’»“‘„«‹]$")
_SMALL = re.compile(r"[—–-]*\s*(?P<letter>[^\W\d_])")
_SAID = {
    "en": re.compile(
        r"(?:[^\W\d_][\w'’-]*[.,]?\s+){1,4}?(?:add|admit|agree|announc|answer|argu|ask|bark|beg|bellow|call|continu|croak|cri|cry"
        r"|declar|demand|enquir|exclaim|explain|gasp|groan|growl|grumbl|hiss|inquir|insist|interrupt|joke|laugh|mumbl|murmur"
        r"|mutter|plead|protest|remark|repeat|repli|reply|roar|scream|shout|shriek|sigh|snap|snarl|sob|stammer|stutter|suggest"
        r"|urg|wail|whimper|whin|whisper|wonder|yell)(?:e?d|ied|e?s|ies|y|e)?\b"
        r"|(?:[^\W\d_][\w'’-]*[.,]?\s+){1,4}?(?:said|says|say|told|went on|thought|cried|cries)\b",
        re.IGNORECASE,
    ),
    "ja": re.compile(r"と|って|なんて"),
    "ko": re.compile(r"[^.!?。]{0,20}?(?:물었|말했|외쳤|대답했|소리쳤|속삭였|중얼거렸|라고|하고)"),
    "yue": re.compile(r"[^。！？!?]{0,12}?[問话話講叫嗌答]"),
    "zh": re.compile(r"[^。！？!?]{0,12}?[问問说說道喊叫答嚷]"),
}
"""By language, how the words go on that tell who said what was quoted, where they begin with a capital or have none."""


def split_sentences(paragraph: str, language: str = "en") -> list[str]:
    """The sentences of one paragraph, each with the white space behind it: put together they are the paragraph."""
    sentences: list[str] = []
    start = 0
    for found in _borders(paragraph, language):
        # Where one mark opens and closes quotations, it is taken for a closing one.
        border = found - 1 if _OPENING.search(paragraph[max(start, found - 2) : found]) else found
        if border == start:
            continue
        before, after = paragraph[max(start, border - _BEHIND) : border], paragraph[border : border + _AHEAD]
        if not _belongs_together(before, after, language):
            sentences.append(paragraph[start:border])
            start = border
    return [*sentences, paragraph[start:]] if start < len(paragraph) else sentences


def whole_signs(text: str, place: int) -> int:
    """The last place up to `place` where nothing is torn that is seen as one sign: a family of emoji, a flag, a letter and its
    marks. `place` itself where one sign fills all of it."""
    import regex

    border = 0
    for sign in regex.finditer(r"\X", text[: place + _AHEAD]):
        if sign.end() > place:
            break
        border = sign.end()
    return border or place


def _borders(paragraph: str, language: str) -> Iterator[int]:
    """Where sentences may end within the paragraph, as the border finder sees it window by window."""
    from sentencex import segment  # pyright: ignore[reportAttributeAccessIssue] - a compiled module without types

    start = 0
    while start < len(paragraph):
        window = paragraph[start : start + WINDOW]
        found: list[str] = segment(language, window)
        # Never trust a border finder with somebody's book: what doesn't add up is cut at clauses and words instead.
        lengths = [len(part) for part in found if part] if "".join(found) == window else []
        # How the last one goes on is for the next window, which begins with it, or behind it where it fills this one.
        for length in lengths[:-1]:
            start += length
            yield start
        if len(lengths) < 2 or start + lengths[-1] >= len(paragraph):
            start += lengths[-1] if lengths else len(window)


def _belongs_together(before: str, after: str, language: str) -> bool:
    """Whether what looks like the border of two sentences is none."""
    return (
        bool(_INITIAL.search(before) or _going_on(language).search(before))
        or (language in _ORDINAL_LANGUAGES and bool(_ORDINAL.search(before)))
        or (after[0].isdigit() and bool(_BEFORE_NUMBER.search(before)))
        or _torn(before, after)
        or _is_said(before, after, language)
    )


def _is_said(before: str, after: str, language: str) -> bool:
    """Whether the sentence goes on behind a question or a quotation: '"Good morning?" Harry asked.'"""
    if _ASKED.search(before) and (small := _SMALL.match(after)) and small["letter"].islower():
        return True
    said = _SAID.get(language)
    return bool(said and _QUOTED.search(before) and said.match(after))


def _torn(before: str, after: str) -> bool:
    """Whether the border is within a sign."""
    if before[-1].isspace() or after[0].isascii():
        return False
    import regex

    sign = regex.match(r"\X", before[-1] + after[:4])
    return sign is not None and sign.end() > 1


@cache
def _going_on(language: str) -> re.Pattern[str]:
    given = f"{_EVERYWHERE} {_BEFORE_MORE.get(language, '')}".split()
    # "No. 5" alone is never written small: "He said no."
    words = {form for word in given for form in (word, word[0].upper() + word[1:], word.lower())} - {"no"}
    # "Sig.ra" begins with "Sig": the longer one first.
    choices = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?:^|[\s(„“\"'’«—–-])(?:{choices})\.\s*$")
