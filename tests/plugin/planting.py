"""Faults put into the takes of a job that was made: each gets a newer run, whose sound is spoilt; what was made stays."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import soundfile

from cosmos_workflow.bench.planted import Line, Planted, speak, spoilt_sound, spoilt_text
from cosmos_workflow.ids import new_id
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store


def plant(store: Store, made: RunRecord, sound: Path) -> RunRecord:
    """A newer run of the same take, which has this sound; to every reader it is what the engine made."""
    fresh = replace(
        made, id=new_id("rs"), item_id=new_id("qi"), status=ItemStatus.RUNNING, started_at=time.time(), finished_at=None
    )
    (run,) = store.runs.begin([fresh])
    folder = store.runs.open_folder(run.id)
    name = made.outputs["audio"]
    shutil.copy(sound, folder / name)
    return store.runs.publish(run.id, {"audio": name}, made.metadata)


def plant_faults(
    orchestrator: TaskOrchestrator, job: JobFile, key: str, faults: Mapping[int, Planted], folder: Path
) -> dict[int, RunRecord]:
    """Faults for the pieces (counted from 0) of a made task, spoken by the engine and the voice that made them; sounds are WAV.

    `folder` is a new one for what is spoken. "wrong language" isn't among them: a piece's text has no other language here.
    """
    store = orchestrator.operations.store
    runs = orchestrator.report_task(job, key).chosen
    others = [run.prompt_text for run in runs if run]
    folder.mkdir(parents=True)
    planted: dict[int, RunRecord] = {}
    for piece, fault in faults.items():
        run = runs[piece]
        assert run is not None, f"piece {piece} wasn't made"
        text = spoilt_text(fault, run.prompt_text, other=others[(piece + len(others) // 2) % len(others)])
        sound = store.runs.output_path(run, "audio")
        if text != run.prompt_text:
            (sound,) = speak([Line(text, run.engine, dict(run.params))], folder / f"{piece}")
        samples, rate = soundfile.read(sound, dtype="float32")
        spoilt = folder / f"{piece}.wav"
        soundfile.write(spoilt, spoilt_sound(fault, samples, rate), rate, subtype="PCM_16")
        planted[piece] = plant(store, run, spoilt)
    return planted
