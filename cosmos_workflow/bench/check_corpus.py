"""Speech to try a recogniser's verdicts on: clean pieces, and pieces with a fault that was planted, in two parts that share no
sentence. What the verdicts were tuned on is one of them; what is measured is the other.

The English texts are the sample chapter's sentences, taken by their number and their length alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from cosmos_workflow.bench.planted import PLANTED, Line, Planted, spoilt_text
from cosmos_workflow.config import assets_dir
from cosmos_workflow.jobs.speech.sentences import split_sentences

Part = Literal["tuning", "held out"]
PARTS: tuple[Part, ...] = get_args(Part)

KOKORO_VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
_ESPEAK_VOICES = ("en-us", "en-gb-x-rp")
_ESPEAK_RATE = 140
"""Voices and words a minute that Whisper base understands: with others it takes every fourth sentence for something else."""
_KOKORO, _ESPEAK = 45, 45
"""Clean pieces in English; ten are in Spanish and Italian by espeak."""
Pair = tuple[str, str, str]
_EACH = 10
"""Pieces with each fault, by both voices in turn."""

_BY_KOKORO = (
    ("The doctor asked the old man a question.", "fr", "Le médecin a posé une question au vieil homme."),
    ("We are going to the market tomorrow morning.", "fr", "Demain matin, nous allons au marché avec les enfants."),
    ("The train leaves in twenty minutes.", "pt-br", "O trem para a cidade parte daqui a vinte minutos."),
    ("The house is bigger than the garden.", "fr", "La maison est plus grande que le jardin de mon père."),
    ("It rained every day of the week.", "pt-br", "Choveu todos os dias da semana, e ninguém saiu de casa."),
    ("They bought bread and cheese at the corner.", "fr", "Ils ont acheté du pain et du fromage au coin de la rue."),
    ("I have never seen such a garden.", "pt-br", "Eu nunca vi um jardim tão bonito em toda a minha vida."),
    ("The church bells were ringing all night.", "fr", "Les cloches de l'église ont sonné pendant toute la nuit."),
    ("The machine makes a strange noise.", "pt-br", "A máquina faz um barulho estranho quando está fria."),
    ("After the storm the river was very high.", "fr", "Après la tempête, la rivière était plus haute que le pont."),
)
"""A text, and what is spoken in its stead in another language."""
_BY_ESPEAK = (
    ("The children were playing with a small boat.", "es", "Los niños jugaban con un barco pequeño en el río."),
    ("She opened the window and looked at the sea.", "it", "Aprì la finestra e guardò il mare per molto tempo."),
    ("My grandmother kept her letters in a box.", "es", "Mi abuela guardaba todas sus cartas en una caja."),
    ("The book on the table is mine.", "it", "Il libro che si trova sulla tavola è di mia sorella."),
    ("Nobody knew why the lights went out.", "es", "Nadie sabía por qué se apagaron las luces de la casa."),
    ("The winter was long and very cold.", "es", "El invierno fue largo y muy frío en las montañas."),
    ("He closed the door and walked away.", "it", "Chiuse la porta e si allontanò lungo la strada."),
    ("Our friends are painting their house.", "es", "Nuestros amigos van a pintar su casa de color amarillo."),
    ("The judge read the letter in silence.", "it", "Il giudice lesse la lettera e nessuno disse una parola."),
    ("The teacher wrote a short poem on the board.", "es", "La maestra escribió un poema corto en la pizarra."),
)
"""The same in languages of espeak that Whisper base takes for what they are; it doesn't with German, French and Portuguese."""


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
    short = _spread(sentences_of(part, 25, 80), _KOKORO)
    longer = _spread(sentences_of(part, 20, 160), _ESPEAK)
    kokoro = [Sample(text, "en", _kokoro(text, number)) for number, text in enumerate(short)]
    espeak = [Sample(text, "en", _espeak(text, number)) for number, text in enumerate(longer)]
    pairs = [pair for pair in _half(_BY_ESPEAK, part) for _ in range(2)]
    others = [
        Sample(text, code, Line(text, "espeak", {"voice": code, "rate": _ESPEAK_RATE + 20 * (number % 2)}))
        for number, (_, code, text) in enumerate(pairs)
    ]
    return [*kokoro, *espeak, *others]


def planted_samples(part: Part) -> list[Sample]:
    """Pieces with a fault."""
    return [sample for planted in PLANTED for sample in _planted(part, planted)]


def _planted(part: Part, planted: Planted) -> Iterator[Sample]:
    texts = _spread(sentences_of(part, 40, 80), 3 * _EACH)
    shift = PLANTED.index(planted)
    # A fault of the sound, and another text, take what is spoken for the clean pieces anyway.
    spoken = [sample.line for sample in clean_samples(part) if sample.language == "en" and 40 <= len(sample.text) <= 80]
    for number in range(_EACH):
        text = texts[(3 * number + shift) % len(texts)]
        if planted == "wrong language":
            text, code, other = _half(_BY_ESPEAK if number % 2 else _BY_KOKORO, part)[number // 2]
            line = Line(other, "espeak", {"voice": code, "rate": _ESPEAK_RATE}) if number % 2 else _kokoro(other, number, code)
        elif planted in ("dropped word", "doubled sentence"):
            line = (_espeak if number % 2 else _kokoro)(spoilt_text(planted, text, number), number)
        else:
            lines = [line for line in spoken if line.engine == ("espeak" if number % 2 else "kokoro")]
            line = lines[(2 * number + shift) % len(lines)]
            text = text if planted == "another text" else line.text
            text = texts[number] if text == line.text and planted == "another text" else text
        yield Sample(text, "en", line, planted, number)


def _kokoro(text: str, number: int, language: str = "en-us") -> Line:
    return Line(text, "kokoro", {"voice": KOKORO_VOICES[number % len(KOKORO_VOICES)], "language": language})


def _espeak(text: str, number: int) -> Line:
    return Line(text, "espeak", {"voice": _ESPEAK_VOICES[number // 2 % len(_ESPEAK_VOICES)], "rate": _ESPEAK_RATE})


def _half(pairs: Sequence[Pair], part: Part) -> Sequence[Pair]:
    return pairs[: len(pairs) // 2] if part == "tuning" else pairs[len(pairs) // 2 :]


@cache
def sentences_of(part: Part, least: int, most: int) -> list[str]:
    """The sample chapter's sentences of so many letters: every second one belongs to each part."""
    book = (assets_dir() / "jobs" / "book.txt").read_text(encoding="utf-8")
    every = [sentence.strip() for paragraph in book.split("\n\n") for sentence in split_sentences(paragraph)]
    return [text for text in every[PARTS.index(part) :: 2] if least <= len(text) <= most]


def _spread(texts: list[str], count: int) -> list[str]:
    """So many of these, evenly."""
    return [texts[number * len(texts) // count] for number in range(count)]
