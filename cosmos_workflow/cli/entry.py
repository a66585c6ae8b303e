"""The command line put together: the verbs, and how an error ends them. A verb imports what is heavy when it runs."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from cosmos_workflow import __version__
from cosmos_workflow.cli.bench import bench_app
from cosmos_workflow.cli.book import book
from cosmos_workflow.cli.check import check
from cosmos_workflow.cli.check_audio import check_audio
from cosmos_workflow.cli.doctor import doctor
from cosmos_workflow.cli.engines import engines
from cosmos_workflow.cli.jobs import jobs
from cosmos_workflow.cli.options import ExitCode
from cosmos_workflow.cli.output import outlast, refusal
from cosmos_workflow.cli.prune import prune
from cosmos_workflow.cli.repair import repair
from cosmos_workflow.cli.run import run
from cosmos_workflow.cli.runs import runs
from cosmos_workflow.cli.ui import ui
from cosmos_workflow.cli.weights import weights_app
from cosmos_workflow.errors import InputError, WorkflowError


class _OpensThePage(TyperGroup):
    """Without a verb, everything that is given is for `ui`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = ("--version", "--install-completion", "--show-completion", *ctx.help_option_names)
        completes = ctx.resilient_parsing
        if not completes and (not args or (args[0].startswith("-") and args[0] not in own)):
            args = ["ui", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_OpensThePage,
    name="cosmos-workflow",
    help="Queue generative work on your own machine. Without a verb, opens the page: the options of `ui` do for that.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (ui, run, book, check, jobs, engines, runs, doctor, repair, prune):
    app.command()(verb)
app.command("check-audio")(check_audio)
app.add_typer(weights_app, name="weights")
app.add_typer(bench_app, name="bench")


def main() -> None:
    """Entry point: an error is one sentence on stderr and an exit code, never a traceback."""
    outlast()
    if (ctrl_break := getattr(signal, "SIGBREAK", None)) is not None:  # else it ends a program of Windows at once
        signal.signal(ctrl_break, signal.default_int_handler)
    try:
        # typer turns `raise Exit` and an interrupt into the value it returns.
        code = app(standalone_mode=False)
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if lost := refusal():
            sys.stderr.write(f"What was to be shown could not be written ({lost}); the work itself isn't touched by that.\n")
            code = code or ExitCode.FAILED
        sys.exit(code)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("Interrupted; what was finished is kept, and the next run goes on from there.\n")
        sys.exit(ExitCode.INTERRUPTED)
    except InputError as error:
        _refuse(error, ExitCode.WRONG_INPUT)
    except WorkflowError as error:
        _refuse(error, ExitCode.FAILED)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _refuse(InputError(error.format_message()), ExitCode.WRONG_INPUT)  # pyright: ignore[reportAttributeAccessIssue]


def _refuse(error: WorkflowError, code: ExitCode) -> NoReturn:
    """End with the error as a sentence on stderr, and with --json as problems on stdout too."""
    sys.stderr.write(f"{error}\n")
    if "--json" in sys.argv:
        from cosmos_workflow.cli.terminal import print_json

        print_json({"problems": problem_rows(error)})
    sys.exit(code)


def problem_rows(error: WorkflowError) -> list[dict[str, Any]]:
    """What is wrong, a row for each problem: `message` without place and key, which are empty or null where there is none."""
    found = getattr(error, "problems", None)
    if found is None:
        return [{"file": "", "line": None, "column": None, "key": error.key, "place": error.place, "message": error.cause}]
    return [
        {
            "file": problem.file,
            "line": problem.place.line,
            "column": problem.place.column,
            "key": problem.key,
            "place": "",
            "message": problem.message,
        }
        for problem in found
    ]


@app.callback(invoke_without_command=True)
def _say_version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
