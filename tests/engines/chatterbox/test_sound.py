"""Each item's waveform in a batch is the one that upstream's serial `generate()` makes of it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

CLOSE = 1e-5
"""Greatest difference of two samples, of full scale 1."""


def _difference(bench: Any, variant: str, cases: list[Any], made: Any) -> float:
    """The greatest difference between a sample of ours and of upstream's; infinite where a length differs."""
    worst = 0.0
    for index, case in enumerate(cases):
        ours, theirs = made.waves[f"qi_{index}"], bench.serial(variant, case).wave
        if ours.shape != theirs.shape:
            return float("inf")
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


@pytest.mark.parametrize("variant", ["english", "multilingual", "turbo"])
def test_waveforms_of_a_batch_are_those_of_each_alone_upstream(bench: Any, tmp_path: Path, variant: str) -> None:
    cases = bench.cases_of(variant)
    made = bench.make(bench.requests(variant, cases, tmp_path), flow_rows=len(cases))
    assert _difference(bench, variant, cases, made) < CLOSE
    assert len({wave.shape for wave in made.waves.values()}) > 3, "the rows of the flow should differ in length"


def test_a_row_alone_in_the_flow_is_what_it_is_in_company(bench: Any, tmp_path: Path) -> None:
    cases = bench.cases_of("english")[:3]
    made = bench.make(bench.requests("english", cases, tmp_path), flow_rows=1)
    assert _difference(bench, "english", cases, made) < CLOSE


def test_converted_recordings_are_those_of_upstream(bench: Any, tmp_path: Path) -> None:
    cases = [bench.case("", voice, {"seed": seed}) for seed, voice in ((1, ""), (2, "ben"))]
    made = bench.make(bench.requests("voice-conversion", cases, tmp_path), flow_rows=2)
    assert _difference(bench, "voice-conversion", cases, made) < CLOSE


def test_the_comparison_sees_a_missing_mask(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package does itself when it is given rows of different lengths."""
    from cosmos_workflow.engines.chatterbox.sound import SoundModel

    monkeypatch.setattr(SoundModel, "_encode", lambda self, embedded, lengths: self._flow.encoder(embedded, lengths)[0])
    cases = bench.cases_of("english")[:4]
    made = bench.make(bench.requests("english", cases, tmp_path), flow_rows=len(cases))
    assert _difference(bench, "english", cases, made) > 3 * CLOSE


def test_the_file_is_the_watermarked_waveform(bench: Any, tmp_path: Path) -> None:
    case = bench.cases_of("english")[0]
    made = bench.make(bench.requests("english", [case], tmp_path))
    output = made.outcomes["qi_0"]
    written, rate = soundfile.read(tmp_path / "qi_0" / output.files["audio"], dtype="float32")
    serial = bench.serial("english", case)
    assert rate == 24_000
    assert np.abs(written - serial.marked).max() < 2**-15 + CLOSE, "16 bits round to half a step"
    mark = bench.serial_model("english").upstream.watermarker.get_watermark(serial.marked, sample_rate=rate)
    ours = bench.serial_model("english").upstream.watermarker.get_watermark(written, sample_rate=rate)
    assert np.array_equal(mark, ours)
    assert not np.array_equal(written, made.waves["qi_0"]), "the watermark changes the waveform"


def test_a_step_of_the_flow_never_waits_for_the_device(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scalar that Python asks for is a wait on a GPU; the package asks in each of its fourteen blocks."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from cosmos_workflow.engines.chatterbox.sound import SoundModel

    class Asked(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.times = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.times += function.overloadpacket.__name__ in ("_local_scalar_dense", "is_nonzero", "equal", "nonzero")
            return function(*args, **(kwargs or {}))

    steps: list[int] = []
    slope = SoundModel._slope

    def counted(self: Any, *args: Any) -> Any:
        with Asked() as asked:
            found = slope(self, *args)
        steps.append(asked.times)
        return found

    monkeypatch.setattr(SoundModel, "_slope", counted)
    for variant in ("english", "turbo"):
        cases = bench.cases_of(variant)[:3]
        bench.make(bench.requests(variant, cases, tmp_path / variant), flow_rows=len(cases))
    assert steps
    assert set(steps) == {0}


def test_the_vocoder_never_waits_for_the_device(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.chatterbox.vocoder import Vocoder
    from tests.engines.chatterbox.counting import Counting

    waits: list[Any] = []
    make = Vocoder.__call__

    def counted(self: Any, *args: Any) -> Any:
        with Counting() as counting:
            wave = make(self, *args)
        waits.append(counting.waits)
        return wave

    monkeypatch.setattr(Vocoder, "__call__", counted)
    bench.make(bench.requests("english", bench.cases_of("english")[:2], tmp_path))
    assert waits == [{}, {}]
