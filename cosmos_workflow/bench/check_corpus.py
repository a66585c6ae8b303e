"""Speech to try a recogniser's verdicts on: clean pieces, and pieces with a fault that was planted, in two parts that share no
sentence. What the verdicts were tuned on is one of them; what is measured is the other.

The English texts are the sample chapter's sentences, taken by their number and their length alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from cosmos_workflow.bench.planted import PLANTED, Line, Planted, spoilt_text
from cosmos_workflow.config import assets_dir
from cosmos_workflow.jobs.speech.sentences import split_sentences

Part = Literal["tuning", "held out"]
PARTS: tuple[Part, ...] = get_args(Part)

KOKORO_VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
_ESPEAK_VOICES = ("en-us", "en-gb-x-rp", "en-us+m3")
_ESPEAK_RATE = 155
_KOKORO, _ESPEAK, _OTHERS = 45, 45, 10
"""Clean pieces: English by Kokoro and by espeak, and other languages by espeak."""
_EACH = 10
"""Pieces with each fault, by both voices in turn."""

_PAIRS = (
    ("The doctor asked the old man a question about his brother.", "de", "Der Arzt stellte dem alten Mann eine Frage."),
    ("We are going to the market tomorrow morning.", "fr", "Demain matin, nous allons au marché avec les enfants."),
    ("The children were playing with a small boat.", "es", "Los niños jugaban con un barco pequeño en el río."),
    ("She opened the window and looked at the sea.", "it", "Aprì la finestra e guardò il mare per molto tempo."),
    ("The train leaves in twenty minutes.", "pt", "O trem para a cidade parte daqui a vinte minutos."),
    ("My grandmother kept her letters in a box.", "de", "Meine Großmutter bewahrte ihre Briefe in einer Kiste auf."),
    ("The house is bigger than the garden.", "fr", "La maison est plus grande que le jardin de mon père."),
    ("Nobody knew why the lights went out.", "es", "Nadie sabía por qué se apagaron las luces de la casa."),
    ("The book on the table is mine.", "it", "Il libro che si trova sulla tavola è di mia sorella."),
    ("It rained every day of the week.", "pt", "Choveu todos os dias da semana, e ninguém saiu de casa."),
    ("The teacher wrote a short poem on the board.", "de", "Der Lehrer schrieb ein kurzes Gedicht an die Tafel."),
    ("They bought bread and cheese at the corner.", "fr", "Ils ont acheté du pain et du fromage au coin de la rue."),
    ("The winter was long and very cold.", "es", "El invierno fue largo y muy frío en las montañas."),
    ("He closed the door and walked away.", "it", "Chiuse la porta e si allontanò lungo la strada."),
    ("I have never seen such a garden.", "pt", "Eu nunca vi um jardim tão bonito em toda a minha vida."),
    ("After the storm the river was very high.", "de", "Nach dem Sturm war der Fluss höher als die Brücke."),
    ("The church bells were ringing all night.", "fr", "Les cloches de l'église ont sonné pendant toute la nuit."),
    ("Our friends are painting their house.", "es", "Nuestros amigos van a pintar su casa de color amarillo."),
    ("The judge read the letter in silence.", "it", "Il giudice lesse la lettera e nessuno disse una parola."),
    ("The machine makes a strange noise.", "pt", "A máquina faz um barulho estranho quando está fria."),
)
"""A text, and what is spoken in its stead in another language."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with its language, and the line that is spoken for it; `planted` is what is wrong with that, None for nothing.

    `number` counts those of a fault, and decides where it is put.
    """

    text: str
    language: str
    line: Line
    planted: Planted | None = None
    number: int = 0


def clean_samples(part: Part) -> list[Sample]:
    """Pieces that say their text."""
    short = _spread(_sentences(part, 25, 80), _KOKORO)
    longer = _spread(_sentences(part, 20, 160), _ESPEAK)
    kokoro = [Sample(text, "en", _kokoro(text, number)) for number, text in enumerate(short)]
    espeak = [Sample(text, "en", _espeak(text, number)) for number, text in enumerate(longer)]
    others = [Sample(text, code, Line(text, "espeak", {"voice": code, "rate": 150})) for _, code, text in _pairs(part)]
    return [*kokoro, *espeak, *others[:_OTHERS]]


def planted_samples(part: Part) -> list[Sample]:
    """Pieces with a fault."""
    return [sample for planted in PLANTED for sample in _planted(part, planted)]


def _planted(part: Part, planted: Planted) -> Iterator[Sample]:
    # Half of the lines are those of clean pieces, which are spoken once.
    texts = _spread(_sentences(part, 40, 80), 3 * _EACH)
    shift = PLANTED.index(planted) % 3
    for number, (own, language, foreign) in enumerate(_pairs(part)):
        text = texts[(3 * number + shift) % len(texts)]
        say = _espeak if number % 2 else _kokoro
        if planted == "wrong language":
            line = say(foreign, number)
            code = {"pt": "pt-br"}.get(language, language)
            if line.engine == "espeak" or language == "de":  # Kokoro has learnt no German
                line = Line(foreign, "espeak", {"voice": language, "rate": 150})
            else:
                line = Line(foreign, "kokoro", {**line.params, "language": code})
            yield Sample(own, "en", line, planted, number)
        else:
            other = texts[(3 * number + shift + len(texts) // 2) % len(texts)]
            yield Sample(text, "en", say(spoilt_text(planted, text, number, other), number), planted, number)


def _kokoro(text: str, number: int) -> Line:
    return Line(text, "kokoro", {"voice": KOKORO_VOICES[number % len(KOKORO_VOICES)], "language": "en-us"})


def _espeak(text: str, number: int) -> Line:
    return Line(text, "espeak", {"voice": _ESPEAK_VOICES[number % len(_ESPEAK_VOICES)], "rate": _ESPEAK_RATE})


def _pairs(part: Part) -> tuple[tuple[str, str, str], ...]:
    half = len(_PAIRS) // 2
    return _PAIRS[:half] if part == "tuning" else _PAIRS[half:]


@cache
def _sentences(part: Part, least: int, most: int) -> list[str]:
    book = (assets_dir() / "jobs" / "book.txt").read_text(encoding="utf-8")
    every = [sentence.strip() for paragraph in book.split("\n\n") for sentence in split_sentences(paragraph)]
    return [text for text in every[PARTS.index(part) :: 2] if least <= len(text) <= most]


def _spread(texts: list[str], count: int) -> list[str]:
    """So many of these, evenly."""
    return [texts[number * len(texts) // count] for number in range(count)]
