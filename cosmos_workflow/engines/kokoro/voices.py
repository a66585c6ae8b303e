"""The voices of Kokoro v1.0, and mixes of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES: Mapping[str, str] = {
    "en-us": "English (US)",
    "en-gb": "English (UK)",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "pt-br": "Portuguese (Brazil)",
}
"""Languages whose phonemes the speech library gives, as the model learned them."""

UNSPOKEN: Mapping[str, str] = {"ja": "Japanese", "zh": "Chinese"}
"""Languages of voices whose phonemes the speech library can't give."""

_PARTS = 10_000
# The first letter of a voice is its language, the second the sex. Behind it stands its grade, where its makers give one.
_LANGUAGE_OF = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-br", "z": "zh"}
_GRADES = """
af_heart A, af_alloy C, af_aoede C+, af_bella A-, af_jessica D, af_kore C+, af_nicole B-, af_nova C, af_river D, af_sarah C+,
af_sky C-, am_adam F+, am_echo D, am_eric D, am_fenrir C+, am_liam D, am_michael C+, am_onyx D, am_puck C+, am_santa D-,
bf_alice D, bf_emma B-, bf_isabella C, bf_lily D, bm_daniel D, bm_fable C, bm_george C, bm_lewis D+,
ef_dora, em_alex, em_santa, ff_siwis B-, hf_alpha C, hf_beta C, hm_omega C, hm_psi C, if_sara C, im_nicola C,
jf_alpha C+, jf_gongitsune C, jf_nezumi C-, jf_tebukuro C, jm_kumo C-, pf_dora, pm_alex, pm_santa,
zf_xiaobei D, zf_xiaoni D, zf_xiaoxiao D, zf_xiaoyi D, zm_yunjian D, zm_yunxi D, zm_yunxia D, zm_yunyang D
"""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: its `id` as a job file says it, its language's code, its sex, and its makers' grade ("" where they give none)."""

    id: str
    language: str
    sex: str
    grade: str

    def __str__(self) -> str:
        language = LANGUAGES.get(self.language) or UNSPOKEN[self.language]
        return ", ".join(part for part in (language, self.sex, self.grade and f"grade {self.grade}") if part)


def _voice(entry: str) -> Voice:
    name, _, grade = entry.strip().partition(" ")
    return Voice(name, _LANGUAGE_OF[name[0]], {"f": "female", "m": "male"}[name[1]], grade)


VOICES: Mapping[str, Voice] = {voice.id: voice for voice in map(_voice, _GRADES.split(","))}
"""Every voice by its id, in the makers' order."""


def parse_mix(value: str) -> dict[str, float]:
    """The voices of a value such as "af_heart" or "af_heart:0.7+bm_george:0.3" with their shares, which add up to 1.

    A voice without a weight weighs 1. Raises ValueError with a sentence that names near matches.
    """
    weights: dict[str, float] = {}
    for part in value.split("+"):
        name, colon, number = (piece.strip() for piece in part.partition(":"))
        weights[_known(name)] = weights.get(_known(name), 0.0) + (_weight(number, part) if colon else 1.0)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def tidy_mix(value: str) -> str:
    """The same mix as it is kept: "af_heart", "af_heart:0.7+bm_george:0.3"; raises ValueError as `parse_mix`."""
    shares = parse_mix(value)
    if len(shares) == 1:
        return next(iter(shares))
    parts = {name: max(1, round(share * _PARTS)) for name, share in shares.items()}
    # The heaviest takes up what rounding left, so that a tidy mix adds up and stays as it is.
    parts[max(parts, key=lambda name: parts[name])] += _PARTS - sum(parts.values())
    return "+".join(f"{name}:{part / _PARTS:g}" for name, part in parts.items())


def language_of(value: str) -> str:
    """The language of a mix: that of its heaviest voice, of the first among equals."""
    shares = parse_mix(value)
    return VOICES[max(shares, key=lambda name: shares[name])].language


def describe(value: str) -> str:
    """What a person wants to know of a voice: "English (US), female, grade A"; of a mix, of each of its voices."""
    shares = parse_mix(value)
    if len(shares) == 1:
        return str(VOICES[next(iter(shares))])
    return "; ".join(f"{share:.0%} {name} ({VOICES[name]})" for name, share in shares.items())


def _known(name: str) -> str:
    found = name.casefold()
    if found in VOICES:
        return found
    near = difflib.get_close_matches(found, VOICES, n=3, cutoff=0.5) or [
        known for known in VOICES if found and known.partition("_")[2].startswith(found)
    ]
    hint = (
        f"near it are {', '.join(near)}" if near else "use a voice such as af_heart, or a mix such as af_heart:0.7+bm_george:0.3"
    )
    raise ValueError(f"{name!r} isn't a voice; {hint}")


def _weight(number: str, part: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= 100:
        raise ValueError(
            f"{part.strip()!r} isn't a voice and its weight; write a number above 0 behind the colon, as in af_heart:0.7"
        )
    return weight
