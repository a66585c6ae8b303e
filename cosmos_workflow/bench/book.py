"""A book from its file to its M4B: characters a second, our own processor time beside the engine's, and memory.

Processor time is what counts, since other programs share the machine: ours is that of this process (reading, cutting, queueing,
records, joining, encoding), the engine's that of the worker and of all that it starts. What the encoder takes for these samples
alone is told apart. A few words are made before, so that loading libraries isn't counted.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import av
import numpy as np
import soundfile

from cosmos_workflow.bench.frame import Column, quantiles, seconds_of
from cosmos_workflow.books.output.formats import FORMATS, bit_rate
from cosmos_workflow.books.reading import read_book
from cosmos_workflow.config import Workspace
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.books.voices import reader
from cosmos_workflow.jobs.books.writing import add_book
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.plan import plan_task, queue_items
from cosmos_workflow.jobs.reports import TaskReport
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord

CHAPTER = 20_000
"""Characters of a chapter."""
_AT_ONCE, _LOOKS = 50, 60
"""Pieces that are made between two looks, and how often the whole is looked at."""
_WORDS = re.findall(
    r"\w+", "the keeper of a light saw how waves rose over stones while his lantern burned and ships went home before night"
)


@dataclass(frozen=True, slots=True)
class BookFigure:
    """`seconds` from the file to the final; `own`, `engine` and `codec` CPU seconds, the last of which are part of our own;
    `bound` seconds to put it together again alone, `made_peak` the most memory in MB of this process until then.

    `large` is the book that is only read, cut and planned: characters, the peak of memory in MB, and seconds until the Jobs tab
    has it after a start of the program. `look` are the milliseconds of a later look at it, at the 95th percentile, once all of it
    is made; `changing` while its pieces are being made, so that each look finds something new.
    """

    TITLE: ClassVar[str] = "A book, from its file to its M4B"
    characters: Annotated[int, Column("characters", "{:,}")]
    sound: Annotated[float, Column("sound", lambda one: f"{one.sound / 60:.0f} min")]
    seconds: Annotated[float, Column("characters/s", lambda one: f"{one.characters / one.seconds:,.0f}")]
    own: Annotated[float, Column("our CPU s", "{:.1f}")]
    engine: Annotated[float, Column("engine's CPU s", "{:.1f}")]
    codec: Annotated[
        float,
        Column("AAC alone", "{:.1f}"),
        Column("share without", lambda one: f"{(one.own - one.codec) / one.engine:.0%}"),
        Column("with it", lambda one: f"{one.own / one.engine:.0%}"),
    ]
    bound: Annotated[float, Column("bound", "{:.1f} s")]
    made_peak: Annotated[float, Column("peak MB", "{:.0f}")]
    large: Annotated[int, Column("large book", "{:,}")]
    peak: Annotated[float, Column("peak MB", "{:.0f}")]
    opened: Annotated[float, Column("opened", "{:.1f} s")]
    look: Annotated[float, Column("look", "{:.0f} ms")]
    changing: Annotated[float, Column("while made", "{:.0f} ms")]


def bench_book(characters: int = 60_000, large: int = 2_000_000) -> list[BookFigure]:
    """One book made with espeak on one worker, and one that is only opened, in a process of its own."""
    with tempfile.TemporaryDirectory() as name, multiprocessing.get_context("spawn").Pool(1) as pool:
        folder = Path(name)
        _made(folder / "first", 1000)
        made = _made(folder / "whole", characters)
        return [BookFigure(characters, *made, _peak(), large, *pool.apply(_opened, (folder / "large", large)))]


def write_book(path: Path, characters: int) -> Path:
    """An EPUB of about so many characters in chapters of `CHAPTER`; the same for the same number."""
    chance = random.Random(characters)  # noqa: S311 - words for a measurement
    names: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="b.opf"/>'
            "</rootfiles></container>",
        )
        for number in range(1, max(1, characters // CHAPTER) + 1):
            names.append(f"c{number}.xhtml")
            paragraphs: list[str] = []
            while sum(map(len, paragraphs)) < min(CHAPTER, characters):
                sentences = [" ".join(chance.choices(_WORDS, k=chance.randint(6, 18))).capitalize() for _ in range(5)]
                paragraphs.append(". ".join(sentences) + ".")
            body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
            archive.writestr(names[-1], f"<html><body><h1>Chapter {number}</h1>{body}</body></html>")
        items = "".join(f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in names)
        order = "".join(f'<itemref idref="{name}"/>' for name in names)
        archive.writestr(
            "b.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book'
            f"</dc:title><dc:language>en</dc:language></metadata><manifest>{items}</manifest><spine>{order}</spine></package>",
        )
    return path


def _made(folder: Path, characters: int) -> tuple[float, float, float, float, float, float]:
    folder.mkdir()
    path = write_book(folder / "book.epub", characters)
    workspace = Workspace.open(folder / "workspace")
    begun, own, engine = time.perf_counter(), time.process_time(), _children()
    with Operations(workspace, gpu_ids=[None]) as operations:
        orchestrator = TaskOrchestrator(operations, JobStore(workspace))
        stored = _added(path, workspace)
        orchestrator.run(stored)
        seconds, used = time.perf_counter() - begun, time.process_time() - own
        final = orchestrator.binder.find(stored.id)
        sound = final.seconds if final else 0.0
        finals = [report.final.path for report in orchestrator.report(stored).tasks if report.final]
        codec = _codec(finals)
        orchestrator.assemble(stored, stored.tasks[0].key, bind=False)
        bound = seconds_of(lambda: orchestrator.bind(stored))
    # The worker has ended now, and its time is known.
    return sound, seconds, used, _children() - engine, codec, bound


def _codec(sounds: list[Path]) -> float:
    """CPU seconds of the encoder alone, for the samples of these files."""
    used = 0.0
    for path in sounds:
        rate = soundfile.info(str(path)).samplerate
        coder: Any = av.AudioCodecContext.create(FORMATS["m4b"].codec, "w")
        coder.sample_rate, coder.format, coder.layout, coder.bit_rate = rate, "fltp", "mono", bit_rate("m4b", rate)
        coder.options = dict(FORMATS["m4b"].coder)
        for samples in soundfile.blocks(str(path), 1 << 16, dtype="int16"):
            frame = av.AudioFrame.from_ndarray(np.asarray(samples, dtype=np.int16).reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = rate
            begun = time.process_time()
            coder.encode(frame)
            used += time.process_time() - begun
    return used


def _opened(folder: Path, characters: int) -> tuple[float, float, float, float]:
    folder.mkdir()
    path = write_book(folder / "book.epub", characters)
    workspace = Workspace.open(folder / "workspace")
    _added(path, workspace)
    with Operations(workspace) as operations:
        manager = JobManager(TaskOrchestrator(operations, JobStore(workspace)))
        opened = _looks(manager, 1)[0]
        entry = manager.snapshot().entries[0]
        runs = [run for task in (entry.report.tasks if entry.report else ()) for run in _made_runs(task)]
        changing: list[float] = []
        for start in range(0, len(runs), _AT_ONCE):
            some = runs[start : start + _AT_ONCE]
            for run in some:
                folder = operations.store.runs.folder(run.id)
                folder.mkdir()
                (folder / run.outputs["audio"]).touch()
            operations.store.runs.begin(some)
            changing += _looks(manager, 1)
        look = _looks(manager, _LOOKS)
    return _peak(), opened, quantiles(look)[1] * 1000, quantiles(changing)[1] * 1000


def _looks(manager: JobManager, count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        manager.look_again()
        times.append(seconds_of(manager.snapshot))
    return times


def _made_runs(report: TaskReport) -> list[RunRecord]:
    """The runs that the pieces of a task would have once they are made."""
    made = {"status": ItemStatus.SUCCEEDED, "outputs": {"audio": "audio.wav"}, "progress": 1.0}
    items = queue_items(plan_task(report.task, report.pieces, "resume"))
    return [RunRecord.of(item, started_at=time.time(), finished_at=time.time(), **made) for item in items]


def _added(path: Path, workspace: Workspace) -> JobFile:
    job = add_book(JobStore(workspace), read_book(path), reader("espeak", language="en"), (), path.name).job
    if job is None:
        raise ValueError("the book's job is wrong")
    return job


def _peak() -> float:
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _children() -> float:
    used = os.times()
    return used.children_user + used.children_system
