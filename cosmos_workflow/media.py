"""Clips and sounds as files: opening any, what a sound is, and writing ones that every browser plays. `clips` reads clips.

PyAV, numpy and soundfile are imported where they are used, so that importing this module costs nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from cosmos_workflow.errors import InputError, UnavailableError

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from numpy.typing import NDArray
    from soundfile import SoundFile

    Frame = NDArray[np.uint8]
    Samples = NDArray[np.int16]
    Wave = NDArray[np.float32]

SoundFormat = Literal["wav", "flac", "mp3"]

# A playlist would let a file that somebody uploads read other files or addresses: only real containers are opened.
_CONTAINERS = "aac,aiff,asf,avi,flac,flv,gif,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,ogg,wav"
_OPEN_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
_BT709 = 1
_BLOCK = 1 << 16
MAX_WAV_BYTES = 4_000_000_000


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """What a sound is; `seconds` as its header says."""

    seconds: float
    sample_rate: int
    channels: int
    codec: str


def probe_sound(path: Path) -> SoundInfo:
    """What a sound is, from its header and first samples; raises InputError where it isn't a sound or holds no sample."""
    from av.error import FFmpegError

    with open_media(path, "sound") as container:
        stream = _audio_stream(container, path)
        try:
            first = next(container.decode(stream), None)
        except FFmpegError as error:
            raise InputError(f"{path.name} can't be decoded ({error.strerror}); choose another file.") from error
        if first is None or first.samples == 0:
            raise InputError(f"{path.name} is a sound without a single sample; choose another one.")
        return SoundInfo(
            seconds=stated_seconds(container, stream) or first.samples / first.sample_rate,
            sample_rate=first.sample_rate,
            channels=first.layout.nb_channels,
            codec=stream.codec_context.name,
        )


class ClipWriter:
    """Writes RGB frames as H.264 in an MP4 that plays in browsers (yuv420p, BT.709, index in front).

    `width` and `height` must be even. Frames are uint8 of shape (height, width, 3). A clip that is left by an exception is
    deleted.
    """

    def __init__(self, path: Path, width: int, height: int, fps: Fraction | int, comment: str = "") -> None:
        import av

        if width % 2 or height % 2 or width < 2 or height < 2:
            raise ValueError(f"width and height must be even, not {width}x{height}")
        self.path = path
        self.frames = 0
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        if comment:
            self._container.metadata["comment"] = comment
        # x264's macroblock tree reads memory that it never wrote, so that the same frames now and then give other bytes.
        options = {"crf": "18", "preset": "veryfast", "mbtree": "0"}
        self._stream: Any = self._container.add_stream("libx264", rate=Fraction(fps), options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        context = self._stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = _BT709

    def write(self, frame: Frame) -> None:
        """Add one frame."""
        import av

        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        picture.pts = self.frames
        picture.time_base = 1 / self._stream.codec_context.framerate
        with _write_errors(self.path):
            self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with writing(self.path), self._container:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        if kind is not None:
            self.path.unlink(missing_ok=True)


def write_sound(
    path: Path, blocks: Iterable[Samples] | Iterable[Wave], sample_rate: int, format: SoundFormat, channels: int = 1
) -> int:
    """Write 16-bit WAV or FLAC, or MP3, block by block; returns how many frames it holds. Left by an exception, it is deleted.

    Raises UnavailableError where it can't be written, InputError where a WAV would pass its 4 GB.
    """
    import soundfile

    frames = 0
    subtype = "MPEG_LAYER_III" if format == "mp3" else "PCM_16"
    with writing(path), soundfile.SoundFile(path, "w", sample_rate, channels, subtype, format=format.upper()) as sound:
        for block in blocks:
            sound.write(block)
            frames += len(block)
            if format == "wav" and frames * channels * 2 > MAX_WAV_BYTES:
                raise InputError("The sound is longer than a WAV can hold (4 GB); set audio: {format: flac} in the job.")
    return frames


def sound_frame(block: Samples, rate: int) -> AudioFrame:
    """Mono 16-bit samples as libav has them."""
    import av

    frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    return frame


def resample_sound(blocks: Iterable[Samples], source_rate: int, target_rate: int) -> Iterator[Samples]:
    """Mono 16-bit blocks at another rate, block by block."""
    if source_rate == target_rate:
        return iter(blocks)
    return _at_rate((sound_frame(block, source_rate) for block in blocks), target_rate)


def _at_rate(frames: Iterable[AudioFrame], rate: int) -> Iterator[Samples]:
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    for frame in itertools.chain(frames, (None,)):
        for made in resampler.resample(frame):
            yield made.to_ndarray()[0]


def layout_of(channels: int) -> str:
    """FFmpeg's name for so many channels."""
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels}c")


def resampled(samples: Wave, source_rate: int, target_rate: int) -> Wave:
    """A whole sound at another rate: floats of shape (frames, channels), full scale 1, frames as many as its seconds need."""
    import av
    import numpy as np

    if source_rate == target_rate or not len(samples):
        return samples
    layout = layout_of(samples.shape[1])
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=target_rate)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), format="fltp", layout=layout)
    frame.sample_rate = source_rate
    made = np.concatenate([part.to_ndarray() for given in (frame, None) for part in resampler.resample(given)], axis=1).T
    frames = -(-len(samples) * target_rate // source_rate)
    return np.pad(made[:frames], ((0, max(0, frames - len(made))), (0, 0))).astype(np.float32, copy=False)


def read_sound(path: Path, sample_rate: int, most_seconds: float | None = None) -> Iterator[Samples]:
    """A sound, or that of a clip, as mono 16-bit blocks at this rate; memory doesn't grow with it.

    Raises InputError for what isn't a sound, can't be decoded, or lasts longer than `most_seconds`, whatever its header says.
    """
    samples = 0
    for block in _mono_blocks(path, sample_rate):
        samples += len(block)
        if most_seconds is not None and samples > most_seconds * sample_rate:
            raise InputError(f"{path.name} lasts longer than {most_seconds:g} s; choose a shorter one.")
        yield block


def _mono_blocks(path: Path, sample_rate: int) -> Iterator[Samples]:
    """What engines write, mono WAV and FLAC of 16 bits, in large blocks, which costs a tenth of what other sounds do."""
    import soundfile

    try:
        sound = soundfile.SoundFile(path)
    except (OSError, soundfile.SoundFileError):
        sound = None  # what it can't open, libav may; else it says what is wrong
    with sound or nullcontext():
        if sound is None or (sound.channels, sound.subtype) != (1, "PCM_16") or sound.format not in ("WAV", "FLAC"):
            yield from _decoded_blocks(path, sample_rate)
            return
        try:
            yield from resample_sound(_blocks(sound), sound.samplerate, sample_rate)
        except soundfile.SoundFileError as error:
            raise InputError(f"{path.name} can't be decoded ({error}); choose another file.") from error


def _blocks(sound: SoundFile) -> Iterator[Samples]:
    while len(block := sound.read(_BLOCK, dtype="int16")):  # its header may say another length
        yield cast("Samples", block)


def _decoded_blocks(path: Path, sample_rate: int) -> Iterator[Samples]:
    from av.error import FFmpegError

    with open_media(path, "sound") as container:
        try:
            yield from _at_rate(container.decode(_audio_stream(container, path)), sample_rate)
        except FFmpegError as error:
            raise InputError(f"{path.name} can't be decoded ({error.strerror}); choose another file.") from error


def sound_peaks(path: Path, columns: int) -> tuple[float, list[float]]:
    """Seconds of a WAV, FLAC, OGG or MP3, and the loudest sample (full scale 1) of each of `columns` stretches of equal length.

    Memory doesn't grow with it; raises InputError for what isn't such a sound.
    """
    import numpy as np
    import soundfile

    peaks = np.zeros(columns)
    with sound_errors(path, "choose another file"), soundfile.SoundFile(path) as sound:
        frames, at = max(1, sound.frames), 0
        for block in sound.blocks(1 << 18, dtype="float32", always_2d=True):
            first, last = at * columns // frames, (at + len(block) - 1) * columns // frames
            begins = [max(0, -(-place * frames // columns) - at) for place in range(first, last + 1)]
            loudest = np.maximum.reduceat(np.abs(block).max(axis=1), begins)
            peaks[first : last + 1] = np.maximum(peaks[first : last + 1], loudest)
            at += len(block)
        return sound.frames / sound.samplerate, [min(1.0, float(peak)) for peak in peaks]


def timecode(seconds: float, point: str = ".") -> str:
    """A place in a sound or a clip as hours, minutes, seconds and milliseconds."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


@contextmanager
def sound_errors(path: Path, advice: str) -> Iterator[None]:
    """A WAV, FLAC, OGG or MP3 is read inside: what isn't one becomes InputError, with what to do."""
    import soundfile

    try:
        yield
    except (OSError, soundfile.SoundFileError) as error:
        raise InputError(f"{path.name} isn't a sound that can be read; {advice}.") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A file is written inside, whole or not at all: what the libraries raise becomes UnavailableError that says what to do."""
    try:
        with _write_errors(path):
            yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        from av.error import FFmpegError
        from soundfile import LibsndfileError

        if not isinstance(error, OSError | FFmpegError | LibsndfileError):
            raise
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise UnavailableError(f"{path.name} can't be written ({reason}); free some space or use another workspace.") from error


@contextmanager
def open_media(path: Path, kind: Literal["clip", "sound"]) -> Iterator[InputContainer]:
    """A file that somebody sent, opened as a clip or a sound; raises InputError where it is neither."""
    import av
    from av.error import FFmpegError

    if not path.is_file():
        raise InputError(f"{path.name} isn't there; choose the file again.")
    takes = "an MP4, WebM, MOV, MKV or AVI file" if kind == "clip" else "a WAV, FLAC, MP3, OGG or M4A file"
    try:
        container = av.open(str(path.absolute()), options=_OPEN_OPTIONS, metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path.name} isn't a {kind} that can be read; choose {takes}.") from error
    with container:
        yield container


def _audio_stream(container: InputContainer, path: Path) -> AudioStream:
    if not container.streams.audio:
        raise InputError(f"{path.name} holds no sound; choose a WAV, FLAC, MP3, OGG or M4A file.")
    return container.streams.audio[0]


def stated_seconds(container: InputContainer, stream: Any) -> float:
    """What the header of a file says of a stream; else of the whole file, or 0."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1_000_000
