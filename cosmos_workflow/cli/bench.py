"""The verbs of `cosmos-workflow bench`: each measures one thing beside a peer or the limit, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from cosmos_workflow.cli.options import JsonOption, WorkspaceOption
from cosmos_workflow.cli.terminal import print_json, print_table

bench_app = typer.Typer(help="Measure how fast things are here, beside a peer or the limit.", no_args_is_help=True)

RoundsOption = Annotated[int, typer.Option(help="Rounds; the median counts.", min=1)]
BatchOption = Annotated[list[int] | None, typer.Option("--batch", help="Batch sizes; give it once for each.", min=1)]
PlotOption = Annotated[Path | None, typer.Option(help="A picture to write (.png, .svg); needs matplotlib.")]


def _bench(verb: Callable[..., None]) -> Callable[..., None]:
    """Make it a verb that calls the function of its name in `cosmos_workflow.bench`, and shows the figures that this gives."""
    name = verb.__name__.removeprefix("bench_")

    @bench_app.command(name)
    @wraps(verb)
    def measure(as_json: bool, **options: Any) -> None:
        figures = getattr(import_module(f"cosmos_workflow.bench.{name}"), verb.__name__)(**options)
        from cosmos_workflow.bench.frame import table

        if as_json:
            print_json([asdict(figure) for figure in figures])
            return
        if not figures:
            typer.echo("There is nothing to show yet.")
        for _, alike in groupby(figures, type):
            print_table(table(list(alike)))

    return measure


@_bench
def bench_queue(
    items: Annotated[int, typer.Option(help="Items in the queue.", min=1)] = 100_000,
    rounds: RoundsOption = 5,
    as_json: JsonOption = False,
) -> None:
    """Adding, grouping, claiming, looking and opening again, with the journal on the disk."""


@_bench
def bench_long(
    items: Annotated[int, typer.Option(help="Items in the queue.", min=100)] = 100_000,
    rounds: RoundsOption = 5,
    as_json: JsonOption = False,
) -> None:
    """A long queue on the page, and how soon it runs again after a kill."""


@_bench
def bench_eta(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """How far off the time left would have been, from the finished batches of a workspace."""


@_bench
def bench_chatterbox(
    size: Annotated[str, typer.Option(help="tiny or full; random weights either way.")] = "tiny",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    mode: Annotated[str, typer.Option(help="reproducible (float32) or fast (bfloat16).")] = "reproducible",
    tokens: Annotated[int, typer.Option(help="Speech tokens an item; 25 are a second.", min=25, max=1000)] = 60,
    batch: BatchOption = None,
    threads: Annotated[int | None, typer.Option(help="Threads of torch; with 1 on the CPU, CPU seconds count.", min=1)] = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Chatterbox in batches beside the package's own serial way, alternated in one run."""


@_bench
def bench_kokoro(
    items: Annotated[int, typer.Option(help="Texts a round.", min=1)] = 12,
    rounds: RoundsOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Kokoro through the queue, on one worker and on two, beside kokoro-onnx in a bare loop."""


@_bench
def bench_check(
    tuning: Annotated[bool, typer.Option("--tuning", help="Take the sentences that the verdicts were tuned on.")] = False,
    characters: Annotated[int, typer.Option(help="Characters of the job that is made with and without.", min=200)] = 3000,
    only: Annotated[list[str] | None, typer.Option(help="faults, times or cost; give it once for each.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Speech heard back: clean pieces and planted faults, word times, and what it adds to a Kokoro job."""


@_bench
def bench_espeak(rounds: RoundsOption = 3, as_json: JsonOption = False) -> None:
    """A chapter as a job, beside the speech library in a bare loop."""


@_bench
def bench_dispatch(
    tasks: Annotated[int, typer.Option(help="Empty tasks.", min=10)] = 10_000,
    rounds: RoundsOption = 3,
    only: Annotated[list[str] | None, typer.Option(help="Only this one; give it once for each.")] = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Our dispatcher beside other pools and a bare pipe, in turn."""


@_bench
def bench_cosmos(
    weights: Annotated[Path | None, typer.Option(help="A folder as COSMOS_WORKFLOW_WEIGHTS; without it, toy weights.")] = None,
    gpu: Annotated[int | None, typer.Option(help="The GPU's number; without it, the CPU.", min=0)] = None,
    batch: BatchOption = None,
    rounds: RoundsOption = 3,
    steps: Annotated[int, typer.Option(help="Denoising steps.", min=1)] = 10,
    as_json: JsonOption = False,
) -> None:
    """Cosmos Transfer: the time an item takes alone and in batches."""


@_bench
def bench_page(
    items: Annotated[int, typer.Option(help="Items in the queue.", min=10)] = 1000,
    as_json: JsonOption = False,
) -> None:
    """The time a click takes, and the memory of app and worker, while a long queue runs."""


@_bench
def bench_book(
    characters: Annotated[int, typer.Option(help="Characters of the book that is made.", min=1000)] = 60_000,
    large: Annotated[int, typer.Option(help="Characters of the book that is only opened.", min=1000)] = 2_000_000,
    as_json: JsonOption = False,
) -> None:
    """A book from its file to its M4B with espeak: our own time beside the engine's, and memory."""


@_bench
def bench_scale(
    tasks: Annotated[int, typer.Option(help="Tasks that wait.", min=1)] = 400,
    nap: Annotated[float, typer.Option(help="Seconds that each waits.", min=0.001)] = 0.02,
    workers: Annotated[list[int] | None, typer.Option(help="Numbers of workers; give it once for each.", min=1)] = None,
    rounds: RoundsOption = 3,
    address: Annotated[str | None, typer.Option(help="A Ray cluster; without it, Ray is started here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """One queue on 1, 2 and 4 workers, on this machine and on Ray, where the extra is installed."""


@_bench
def bench_serve(
    requests: Annotated[int, typer.Option(help="Requests of each number of callers.", min=1)] = 128,
    engine: Annotated[str, typer.Option(help="The model that is asked for.")] = "espeak",
    as_json: JsonOption = False,
) -> None:
    """The speech API with 1, 4, 16 and 64 callers at once, beside the engine in a bare loop."""
