"""Faults put into the takes of a job that was made: each gets a newer run, whose sound is spoilt; what was made stays."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import soundfile
from store_support import publish

from cosmos_workflow.bench.planted import Line, Planted, speak, spoilt_sound, spoilt_text
from cosmos_workflow.checking.sound import read_mono
from cosmos_workflow.ids import new_id
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

CHAPTER = """\
There was always a boy with a small packing case in the office.

She put on her stout shoes and walked along the river.

The machine stood in the back room under a canvas sheet.

It was a cold winter, and nobody thought that it would be a long one.

A bird got up from the mud and went away over the water.

He came along the wall with a glass in his hand.
"""
"""Six paragraphs, so six pieces, for faults to be planted in."""


def plant(store: Store, made: RunRecord, sound: Path) -> RunRecord:
    """A newer run of the same take, which has this sound; to every reader it is what the engine made."""
    fresh = replace(
        made, id=new_id("rs"), item_id=new_id("qi"), status=ItemStatus.RUNNING, started_at=time.time(), finished_at=None
    )
    (run,) = store.runs.begin([fresh])
    folder = store.runs.open_folder(run.id)
    name = made.outputs["audio"]
    shutil.copy(sound, folder / name)
    return publish(store, run.id, {"audio": name}, made.metadata)


def plant_faults(
    orchestrator: TaskOrchestrator, job: JobFile, key: str, faults: Mapping[int, Planted], folder: Path
) -> dict[int, RunRecord]:
    """Faults for the pieces (counted from 0) of a made task, spoken by the engine and the voice that made them; sounds are WAV.

    `folder` is a new one for what is spoken. "wrong language" isn't among them: a piece's text has no other language here.
    """
    store = orchestrator.operations.store
    runs = [run for run in orchestrator.report_task(job, key).chosen if run]
    texts = {
        piece: spoilt_text(fault, runs[piece].prompt_text, other=runs[(piece + len(runs) // 2) % len(runs)].prompt_text)
        for piece, fault in faults.items()
    }
    folder.mkdir(parents=True)
    said = {piece: text for piece, text in texts.items() if text != runs[piece].prompt_text}
    lines = [Line(text, runs[piece].engine, dict(runs[piece].params)) for piece, text in said.items()]
    sounds = dict(zip(said, speak(lines, folder), strict=True))
    planted: dict[int, RunRecord] = {}
    for piece, fault in faults.items():
        samples, rate = read_mono(sounds.get(piece) or store.runs.output_path(runs[piece], "audio"))
        spoilt = folder / f"spoilt-{piece}.wav"
        soundfile.write(spoilt, spoilt_sound(fault, samples, rate), rate, subtype="PCM_16")
        planted[piece] = plant(store, runs[piece], spoilt)
    return planted
