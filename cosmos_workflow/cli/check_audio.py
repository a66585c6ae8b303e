"""The verb `check-audio`: hears a recording back, and says where it differs from its text."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmos_workflow.cli.options import ExitCode, JsonOption
from cosmos_workflow.cli.terminal import print_json

if TYPE_CHECKING:
    from cosmos_workflow.checking.verdict import Verdict


def check_audio(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    text: Annotated[Path, typer.Option(help="A text file with what it should say.")],
    language: Annotated[str, typer.Option(help="The language, as a code such as en or de.")] = "en",
    model: Annotated[str, typer.Option(help="tiny, base, small, medium or large-v3-turbo.")] = "base",
    max_wer: Annotated[float, typer.Option(help="The word error rate up to which it is right.", min=0, max=1)] = 0.1,
    as_json: JsonOption = False,
) -> None:
    """Hear a recording back. Exit code 0: it says its text; 1: a person should listen; 2: the input is wrong."""
    from cosmos_workflow.checking.models import require_recogniser
    from cosmos_workflow.checking.recogniser import Whisper
    from cosmos_workflow.engines.speech_text.marks import without_marks
    from cosmos_workflow.errors import InputError
    from cosmos_workflow.yaml_places import read_text_file

    for path in (file, text):
        if not path.is_file():
            raise InputError(f"There is no file {path}; check the name.")
    said = read_text_file(text, MAX_BYTES, "text file")
    if not any(letter.isalnum() for letter in said):
        raise InputError(f"{text} holds no word; write what the recording should say.")
    require_recogniser(model)
    from cosmos_workflow.checking.judge import judge  # needs what was just asked for

    verdict = judge(file, said, [without_marks(said)], language, Whisper(model))
    passes = verdict.passes(max_wer)
    if as_json:
        print_json({"passes": passes, "score": verdict.value, **asdict(verdict)})
    else:
        typer.echo("\n".join(_lines(verdict, passes)))
    raise typer.Exit(ExitCode.SUCCEEDED if passes else ExitCode.FAILED)


MAX_BYTES = 20_000_000


def _lines(verdict: Verdict, passes: bool) -> list[str]:
    heard = verdict.hearing
    lines = ["It says its text." if passes else "Listen to it:"]
    if heard is not None:
        lines[0] += f" Word error rate {heard.word_error_rate:.1%}, characters {heard.character_error_rate:.1%}."
    for fault in verdict.faults:
        at = "" if fault.start is None or fault.end is None else f"{fault.start:.1f} to {fault.end:.1f} s: "
        lines.append(f"  {at}{fault.name}: {fault.message}")
    for difference in heard.differences if heard else ():
        said, other = difference.said or "-", difference.heard or "-"
        lines.append(f"  {difference.start:.1f} s: {difference.kind}: {said} | heard: {other}")
    return lines
