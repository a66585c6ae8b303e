"""What is said in a final, for somebody who reads along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.document.schema import Subtitles
from cosmos_workflow.jobs.speech.along import read_along
from cosmos_workflow.jobs.speech.assembly import Final


def test_stretches_begin_at_measured_words_and_are_the_text_put_together(tmp_path: Path) -> None:
    pieces = [
        {
            "start": 1.5,
            "text": "“We went [pause:1] home,” she said.",
            "words": [["We", 0.1, 0.3], ["home", 0.8, 1.1], ["gone", 2, 3]],
        },
        {"start": 4.0, "text": "Nobody measured this."},
    ]
    (tmp_path / "a-001.json").write_text(json.dumps({"pieces": pieces}), encoding="utf-8")
    final = Final(1, tmp_path / "a-001.wav", Subtitles(), 5.0, "", (), (), "", 0.0)
    first, second = read_along(final)
    assert first["words"] == [["“", 1.5], ["We went ", 1.6], ["home,” she said.", 2.3]]
    assert second == {"start": 4.0, "words": [["Nobody measured this.", 4.0]], "break": ""}
    (tmp_path / "a-001.json").unlink()
    with pytest.raises(InputError, match="put it together again"):
        read_along(final)
