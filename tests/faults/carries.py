"""Reads a file and writes one, wherever they are on its machine; and naps, if told."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


@dataclass(frozen=True)
class Errand:
    source: Path
    folder: Path
    name: str = "copy.txt"

    def reads(self) -> list[Path]:
        return [self.source]

    def writes(self) -> list[Path]:
        return [self.folder]

    def moved(self, places: Mapping[Path, Path]) -> "Errand":
        return replace(self, source=places[self.source], folder=places[self.folder])


@dataclass(frozen=True)
class Written:
    path: Path

    def written(self) -> list[Path]:
        return [self.path]


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if isinstance(data, float):
            time.sleep(data)
            return os.getpid()
        copy = data.folder / data.name
        copy.write_bytes(data.source.read_bytes())
        self.report(Written(copy))
        return data.source, data.source.stat().st_ino, copy
