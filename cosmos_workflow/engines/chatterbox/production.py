"""One batch from requests to files: voices, speech tokens, mel spectrograms, waveforms, watermark, each as early as it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from cosmos_workflow.engines.base import Cancelled, Context, Dropped, ItemOutcome, Output, Request, failure
from cosmos_workflow.engines.chatterbox.alignment import check_analyser
from cosmos_workflow.engines.chatterbox.batch import Step, decode
from cosmos_workflow.engines.chatterbox.finishing import at_speed, finishing_threads, without_tail
from cosmos_workflow.engines.chatterbox.loader import Model
from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.randomness import Randomness
from cosmos_workflow.engines.chatterbox.recordings import as_package_reads
from cosmos_workflow.engines.chatterbox.sound import SAMPLE_RATE, Sound, SoundModel
from cosmos_workflow.engines.chatterbox.speech_model import Line, SpeechModel, speech_tokens
from cosmos_workflow.engines.chatterbox.variants import TOKENS_PER_SECOND, expected_tokens
from cosmos_workflow.engines.chatterbox.voices import Voice
from cosmos_workflow.errors import InputError, WorkflowError, is_out_of_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTPUT_FILE = "speech.wav"
SILENCE_TOKEN = 4299
"""Turbo ends on three of them, as the package does it."""
MIN_TOKENS = 2
"""One token, 40 ms, is all fade; the package breaks on it where the voice's mel is a frame longer than its tokens."""


@dataclass(slots=True)
class _Item:
    request: Request
    params: ChatterboxParams
    randomness: Randomness
    voice: Voice
    expected: float
    reported: float = -1.0
    tokens: int = 0
    complete: bool = True


class Production:
    """Makes the items of one batch on one loaded model.

    `max_lines`: how many are spoken at once; `flow_rows`: how many mel spectrograms are made at once, as long as lines remain.
    """

    def __init__(self, model: Model, requests: Sequence[Request], context: Context, max_lines: int, flow_rows: int) -> None:
        self._model = model
        self._context = context
        self._max_lines = max_lines
        self._flow_rows = flow_rows
        self._requests = list(requests)
        self._items: dict[str, _Item] = {}
        params = cast("ChatterboxParams", requests[0].params)
        self._sound_model = SoundModel(model.s3gen, model.estimator, params.cfm_steps or model.variant.cfm_steps)
        self._ready: list[Sound] = []
        self._writing: dict[str, Future[Output]] = {}

    def outcomes(self) -> Iterator[ItemOutcome]:
        """Each item's outcome, once, as soon as it is known."""
        with ThreadPoolExecutor(finishing_threads(self._model.device), "chatterbox-watermark") as pool:
            lines: list[Line] = []
            for request in self._requests:
                made = self._begin(request)
                if isinstance(made, Line):
                    lines.append(made)
                elif isinstance(made, Sound):
                    self._ready.append(made)
                else:
                    yield made
            if self._model.speech is not None:
                yield from self._speak(self._model.speech, lines, pool)
            while self._ready:
                yield from self._shape(pool)
            yield from self._written(wait=True)

    def _speak(self, speech: SpeechModel, lines: Sequence[Line], pool: ThreadPoolExecutor) -> Iterator[ItemOutcome]:
        for line in lines:
            self._report(line.id, "prefill")
        for step in decode(speech, lines, self._max_lines, lambda line: self._context.is_cancelled(line.id)):
            self._report_step(step)
            for line in step.left:
                sound = self._to_sound(speech, line)
                if isinstance(sound, Sound):
                    self._ready.append(sound)
                else:
                    yield sound
            while len(self._ready) >= self._flow_rows:
                yield from self._shape(pool)
            yield from self._written()

    def _shape(self, pool: ThreadPoolExecutor) -> Iterator[ItemOutcome]:
        """Mel spectrograms and waveforms of the next sounds, in order of their length, for little padding."""
        self._ready.sort(key=lambda sound: sound.frames)
        batch, self._ready = self._ready[: self._flow_rows], self._ready[self._flow_rows :]
        for sound in batch:
            self._report(sound.id, "flow")
        mels = self._sound_model.mels(
            batch,
            lambda sound, done: self._report(sound.id, "flow", done),
            lambda sound: self._context.is_cancelled(sound.id),
        )
        finished = {sound.id for sound, _ in mels}
        for sound in batch:
            if sound.id not in finished:
                yield Dropped(sound.id)
        for sound, mel in mels:
            if self._context.is_cancelled(sound.id):
                yield Dropped(sound.id)
                continue
            self._report(sound.id, "vocoder")
            wave = self._sound_model.waveform(sound, mel)
            self._report(sound.id, "watermark")
            self._writing[sound.id] = pool.submit(self._write, self._items[sound.id], wave)

    def _written(self, *, wait: bool = False) -> Iterator[ItemOutcome]:
        for item_id, future in list(self._writing.items()):
            if wait or future.done():
                del self._writing[item_id]
                error = future.exception()
                if error is None:
                    self._report(item_id, "watermark", 1.0)
                yield future.result() if error is None else failure(item_id, error)

    def _begin(self, request: Request) -> Line | Sound | ItemOutcome:
        """What the models need to make an item, or its outcome where it can't be made."""
        if self._context.is_cancelled(request.id):
            return Dropped(request.id)
        self._report(request.id, "voice")
        try:
            item = self._items[request.id] = self._item(request)
            speech = self._model.speech
            return self._recording(item) if speech is None else self._line(item, speech)
        except WorkflowError as error:
            return failure(request.id, error)
        except MemoryError:
            raise
        except (RuntimeError, ValueError, AssertionError, OSError, EOFError, IndexError, TypeError) as error:
            if is_out_of_memory(error):
                raise
            return failure(request.id, _unreadable(request, error))

    def _item(self, request: Request) -> _Item:
        params = cast("ChatterboxParams", request.params)
        voice = self._model.voices.find(request.inputs.get("voice"), norm_loudness=params.norm_loudness)
        language = params.language_id if self._model.variant.multilingual else "en"
        expected = min(expected_tokens(request.text, language), params.max_tokens)
        return _Item(request, params, Randomness(params.seed, self._model.device), voice, expected)

    def _line(self, item: _Item, speech: SpeechModel) -> Line:
        from chatterbox.models.t3.modules.cond_enc import T3Cond

        params, voice = item.params, item.voice
        watched = self._model.variant.stop_rule and params.alignment_check
        if watched:
            check_analyser()
        exaggeration = 0.5 if speech.turbo else params.exaggeration
        conditioning = T3Cond(
            speaker_emb=voice.speech.speaker_emb,
            cond_prompt_speech_tokens=voice.speech.cond_prompt_speech_tokens,
            emotion_adv=cast("Any", exaggeration * torch.ones(1, 1, 1)),
        ).to(device=self._model.device, dtype=speech.backbone.dtype)
        return Line(
            id=item.request.id,
            text=self._tokenize(item),
            voice=(voice.name, exaggeration),
            conditioning=speech.condition(conditioning),
            params=params,
            cfg_weight=0.0 if speech.turbo else params.cfg_weight,
            generator=item.randomness.generator,
            watched=watched,
        )

    def _tokenize(self, item: _Item) -> Tensor:
        from chatterbox import mtl_tts, tts, tts_turbo

        upstream, variant, hyper = self._model.upstream, self._model.variant, self._model.upstream.t3.hp
        package = tts_turbo if variant.turbo else mtl_tts if variant.multilingual else tts
        text = package.punc_norm(item.request.text.strip())
        if variant.turbo:
            tokens = upstream.tokenizer(text, return_tensors="pt").input_ids[0]
        else:
            options = {}
            if variant.multilingual:
                upstream.tokenizer.check_language(item.params.language_id)
                options["language_id"] = item.params.language_id
            tokens = upstream.tokenizer.text_to_tokens(text, **options)[0].long()
            tokens = F.pad(F.pad(tokens, (1, 0), value=hyper.start_text_token), (0, 1), value=hyper.stop_text_token)
        if len(tokens) > hyper.max_text_tokens:
            raise InputError(
                f"chatterbox: the prompt has {len(tokens):,} text tokens, and the model reads at most {hyper.max_text_tokens:,}; "
                "shorten it, or use a job with text_file, which cuts long text into pieces."
            )
        return tokens.to(self._model.device)

    def _recording(self, item: _Item) -> Sound:
        """The speech tokens of a recording, for another voice."""
        import librosa

        with as_package_reads(item.request.inputs["speech"]) as file:
            samples, _ = librosa.load(file, sr=16_000)
        with torch.inference_mode():
            recording = torch.from_numpy(samples).float().to(self._model.device)[None]
            tokens, _ = self._model.s3gen.tokenizer(recording)
        item.tokens = tokens.shape[1]
        return Sound(item.request.id, tokens[0], item.voice.sound, item.randomness)

    def _to_sound(self, speech: SpeechModel, line: Line) -> Sound | ItemOutcome:
        """A finished line's speech, without what is no speech."""
        item = self._items[line.id]
        if self._context.is_cancelled(line.id):
            return Dropped(line.id)
        item.complete = speech.has_ended(line)
        tokens = speech_tokens(line.tokens, turbo=speech.turbo)
        if len(tokens) < MIN_TOKENS:
            error = InputError("The model made no speech of this text; change the text, the seed or the temperature.")
            return failure(line.id, error)
        item.tokens = len(tokens)
        ending = [SILENCE_TOKEN] * 3 if speech.turbo else []
        spoken = torch.tensor([*tokens, *ending], device=self._model.device)
        drops_last = self._model.variant.drops_last and not line.watched
        return Sound(line.id, spoken, item.voice.sound, item.randomness, drops_last=drops_last)

    def _write(self, item: _Item, wave: Tensor) -> Output:
        """Finish, watermark and write a waveform; runs beside the models."""
        import soundfile

        samples = wave.cpu().numpy()
        if self._model.variant.speaks:
            samples = without_tail(samples, SAMPLE_RATE) if item.params.trim_end else samples
            samples = at_speed(samples, SAMPLE_RATE, item.params.speed)
        with torch.inference_mode():
            marked = cast("NDArray[Any]", self._model.upstream.watermarker.apply_watermark(samples, sample_rate=SAMPLE_RATE))
        soundfile.write(item.request.folder / OUTPUT_FILE, marked, SAMPLE_RATE, subtype="PCM_16")
        return Output(item.request.id, {"audio": OUTPUT_FILE}, self._describe(item, len(marked)))

    def _describe(self, item: _Item, samples: int) -> Mapping[str, Any]:
        params = item.params
        described: dict[str, Any] = {
            "seconds": samples / SAMPLE_RATE,
            "sample_rate": SAMPLE_RATE,
            "variant": params.variant,
            "mode": params.mode,
            "seed": params.seed,
            "voice": item.voice.name,
            "tokens": item.tokens,
            "watermark": True,
        }
        if params.finetune:
            described["finetune"] = params.finetune
        if not item.complete:
            described["note"] = f"It was cut at {params.max_tokens} tokens ({params.max_tokens / TOKENS_PER_SECOND:g} s)."
        return described

    def _report_step(self, step: Step) -> None:
        for line in step.active:
            item = self._items[line.id]
            done = min(1.0, len(line.tokens) / item.expected)
            if done - item.reported >= 0.01:
                item.reported = done
                self._report(line.id, "tokens", done, f"{len(line.tokens)} of about {item.expected:.0f} tokens")

    def _report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        # Every loop asks for itself, between two steps: one item's end must not be the others'.
        with suppress(Cancelled):
            self._context.report(item_id, stage, sub_progress, message)


def _unreadable(request: Request, error: Exception) -> Exception:
    names = ", ".join(path.name for path in request.inputs.values()) or "the text"
    wrapped = InputError(f"chatterbox: the model can't use {names} ({type(error).__name__}: {error}); choose another one.")
    wrapped.__cause__ = error
    return wrapped
