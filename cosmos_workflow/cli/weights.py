"""The verbs `weights show` and `weights fetch`: the files that models are loaded from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cosmos_workflow.cli.options import JsonOption
from cosmos_workflow.cli.terminal import name_broken_engines, show
from cosmos_workflow.errors import InputError

if TYPE_CHECKING:
    from cosmos_workflow.engines.model_files.sets import ModelFiles

weights_app = typer.Typer(help="The weights of models: where they are, and how to get them.", no_args_is_help=True)


@weights_app.command("show")
def weights_show(as_json: JsonOption = False) -> None:
    """List the models that need weights, where these are, and how to get them."""
    from cosmos_workflow.engines.model_files.sets import model_files_state, remedy

    rows = []
    for model in known_weights().values():
        folder, size = model_files_state(model)
        place = str(folder) if folder else remedy(model)
        row = {"name": model.name, "title": model.title, "here": folder is not None, "size": size if folder else None}
        rows.append({**row, "where": place})
    name_broken_engines()
    show(rows, as_json, "Weights", "Nothing that is installed needs weights.", {"size": _gigabytes})


def _gigabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e9:.1f} GB"


@weights_app.command("fetch")
def weights_fetch(
    name: Annotated[str, typer.Argument(help="A name from `weights show`.", autocompletion=lambda: list(known_weights()))],
) -> None:
    """Fetch a model's weights into the hub's cache; goes on where it stopped."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from cosmos_workflow.engines.model_files.fetching import FetchProgress, fetch_model_files, plan_fetch

    known = known_weights()
    if name not in known:
        raise InputError(f"There are no weights called {name!r}; use {', '.join(known) or 'none'}.")
    plan = plan_fetch(known[name])
    typer.echo(
        f"{known[name].title}: {plan.missing_bytes / 1e9:.1f} of {plan.total_bytes / 1e9:.1f} GB to fetch into {plan.place}"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns) as shown:
        bar = shown.add_task(name, total=plan.total_bytes)

        def report(progress: FetchProgress) -> None:
            shown.update(bar, completed=progress.done_bytes, description=progress.file)

        folder = fetch_model_files(known[name], report)
    typer.echo(f"{known[name].title} is in {folder}")


def known_weights() -> dict[str, ModelFiles]:
    """The sets of the engines and of the recognisers, by name."""
    from cosmos_workflow.checking.models import recogniser_files
    from cosmos_workflow.engines.registry import all_model_files

    return {**all_model_files(), **recogniser_files()}
