"""A task's text: where it stands, cut into what its engine takes at once, and checked piece by piece."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.jobs.document.cascade import Cascade, TextSource
from cosmos_workflow.jobs.document.schema import Chunking
from cosmos_workflow.jobs.document.tasks import Voice
from cosmos_workflow.jobs.speech.chunks import Chunk, Limits, cut_text
from cosmos_workflow.jobs.speech.dialogue import mark_dialogue
from cosmos_workflow.jobs.speech.paragraphs import Paragraphs
from cosmos_workflow.queueing.items import Configuration, Prompt
from cosmos_workflow.yaml_places import read_text_file

MAX_TEXT_BYTES = 20_000_000
# SSML is one piece: what is cut out of its middle isn't SSML any more.
_SSML = re.compile(r"\s*<(\?xml|speak[\s>])")
_SHORTEST = 20
"""Characters below which a text isn't cut any further, however long it is as it is spoken."""
_REFUSALS = 20
"""Places of a text that are named where an engine refuses them; of the others their number is told."""


def read_text(cascade: Cascade, needed: bool) -> tuple[str | None, TextSource]:
    """The task's text and where it stands; None for one that is wrong or missing, which is a problem then."""
    for at in reversed(cascade.levels):
        text, file = at.level.text, at.level.text_file
        if text is not None and file is not None:
            cascade.note((*at.location, "text_file"), "text and text_file can't both be here; keep one.", of_key=True)
            return None, TextSource(at.location)
        if file is not None:
            return _read_file(cascade, file, TextSource((*at.location, "text_file")))
        if text is not None:
            return text, TextSource((*at.location, "text"))
    if needed:
        cascade.note_missing("text", "there is no text; add the key text or text_file.")
        return None, TextSource(cascade.own.location)
    return "", TextSource(cascade.own.location)


def _read_file(cascade: Cascade, file: str, source: TextSource) -> tuple[str | None, TextSource]:
    path = cascade.path(file, source.location)
    if path is None:
        return None, source
    try:
        shown = cascade.tree.shown
        return read_text_file(path, MAX_TEXT_BYTES, "text file", shown), TextSource(source.location, shown(path))
    except InputError as error:
        cascade.note(source.location, str(error))
        return None, source


def cut_task(cascade: Cascade, text: str, source: TextSource, voices: Mapping[str, Voice]) -> list[Chunk]:
    """The pieces of a task's text, at least one; what is wrong with how it is cut, or refused by the engine, is a problem."""
    chunks = _cut(cascade, text, source, voices)
    _check_chunks(cascade, chunks, source, voices)
    return chunks


def _cut(cascade: Cascade, text: str, source: TextSource, voices: Mapping[str, Voice]) -> list[Chunk]:
    chunking = cascade.merged("chunking", Chunking)
    own = voices[""].configuration
    limits = _check_limits(cascade, chunking, own.spec.name, own.spec.longest_text(own.checked))
    if own.spec.medium != "audio" or own.params.get("ssml") or _SSML.match(text):
        return [Chunk(text.strip())]
    speakers = [speaker for speaker in voices if speaker]
    language = chunking.language or own.spec.language(own.params).partition("-")[0]
    if speaker := _dialogue(cascade, speakers):
        text = mark_dialogue(text, speaker, language)
    said: list[Paragraphs] = [at.level.paragraphs for at in reversed(cascade.levels) if at.level.paragraphs]
    paragraphs: Paragraphs = said[0] if said else "auto"
    chunks, problems = cut_text(text, limits, language, speakers, paragraphs, own.spec.min_letters)
    for problem in problems:
        cascade.note_text(source, problem.line, problem.message)
    chunks = [part for chunk in chunks for part in _fitting(chunk, voices[chunk.speaker].configuration, limits, language)]
    # Without a word in it there is still one piece, about which the engine has to say something.
    return chunks or [Chunk(text.strip())]


def _dialogue(cascade: Cascade, speakers: list[str]) -> str:
    """Who says what is quoted in a text; empty for nobody."""
    found = next(((at, at.level.dialogue) for at in reversed(cascade.levels) if at.level.dialogue is not None), None)
    if found is None or not found[1]:
        return ""
    if found[1] not in speakers:
        known = f"use {list_choices(speakers)}" if speakers else "define it under speakers"
        message = f"the speaker {shorten(found[1])} isn't defined{did_you_mean(found[1], speakers)}; {known}."
        cascade.note((*found[0].location, "dialogue"), message)
        return ""
    return found[1]


def _fitting(chunk: Chunk, voice: Configuration, limits: Limits, language: str) -> Iterator[Chunk]:
    """The chunk in parts that also fit as they are spoken: "$1,000,000" is longer in words."""
    spec, params = voice.spec, voice.checked
    longest = max((len(stretch.text) for stretch in spec.segments(chunk.text, params)), default=0) if spec.speaks else 0
    fits = spec.longest_text(params)
    most = min(len(chunk.text) - 1, limits.max) * fits // max(1, longest)
    if longest <= fits or most < _SHORTEST:
        yield chunk
        return
    smaller = Limits(min(limits.target, most), most, min(limits.min, most))
    parts, _ = cut_text(chunk.text, smaller, language)
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        same = replace(part, speaker=chunk.speaker, line=chunk.line)
        same = replace(same, break_after=chunk.break_after, pause=chunk.pause) if last else same
        yield from _fitting(same, voice, smaller, language)


def _check_limits(cascade: Cascade, chunking: Chunking, engine: str, most: int) -> Limits:
    given = [(key, getattr(chunking, key)) for key in ("min", "target", "max") if getattr(chunking, key) is not None]
    for key, value in given:
        if value > most:
            message = f"{value} isn't right; {engine} takes at most {most:,} characters at once."
            cascade.note(cascade.find("chunking", key), message)
    for (low, below), (high, above) in itertools.pairwise(given):
        if below > above:
            message = f"{below} isn't right; {low} may not be above {high}, which is {above}."
            cascade.note(cascade.find("chunking", low), message)
    return chunking.limits(most)


def _check_chunks(cascade: Cascade, chunks: list[Chunk], source: TextSource, voices: Mapping[str, Voice]) -> None:
    """Note everything that the engine refuses: a text of which it refuses a hundred places names the first of them at once."""
    written = {name for at in cascade.engine_levels for name in at.level.inputs}
    checked: set[str] = set()
    refused: list[tuple[int, str]] = []
    for chunk in chunks:
        voice = voices[chunk.speaker]
        if chunk.speaker not in checked:
            checked.add(chunk.speaker)
            try:
                voice.configuration.check_params()
            except InputError as error:
                places = (("speakers", chunk.speaker, error.key), ("params", error.key))
                stated = [place for keys in places if error.key and (place := cascade.find(*keys))[-1:] == (error.key,)]
                if stated:
                    cascade.note(stated[0], str(error))
                else:
                    cascade.note_text(source, chunk.line, str(error))
                return
        try:
            # What is named and wrong has its own problem already; it isn't missing as well.
            later = {*voice.sources, *(written - set(voice.inputs))}
            voice.configuration.check(Prompt(chunk.text, voice.inputs, ""), later)
        except InputError as error:
            if error.key in {*voice.inputs, *voice.sources}:
                cascade.note(cascade.find("inputs", error.key), str(error))
                return
            refused.append((chunk.line, str(error)))
    told = refused[:1] if len(refused) == len(chunks) and len({message for _, message in refused}) == 1 else refused[:_REFUSALS]
    for line, message in told:
        cascade.note_text(source, line, message)
    if told and len(refused) > len(told):
        cascade.note_text(source, refused[len(told)][0], f"{len(refused) - len(told)} more pieces are refused, from here on.")
