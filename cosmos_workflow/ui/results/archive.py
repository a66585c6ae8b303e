"""Many results in one file."""

from __future__ import annotations

from collections.abc import Sequence

from zipstream import ZipStream

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.document.tasks import slug
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.markup import main_output


def archive(store: Store, runs: Sequence[RunRecord]) -> ZipStream:
    """The outputs of `runs` as a zip that is made while it is sent; its length is known beforehand.

    Files are numbered in the order of the runs and named after their prompts: "02-good-morning.wav". What goes with the output
    that a person plays has its key too: "03-street-rain-control_edge.mp4". A file that is gone is left out.
    """
    made = ZipStream(sized=True)
    width = max(2, len(str(len(runs))))
    for number, run in enumerate(runs, 1):
        main, _ = main_output(run)
        name = f"{number:0{width}}-{slug(run.prompt_text or run.engine)}"
        for key in run.outputs:
            try:
                path = store.runs.output_path(run, key)
            except InputError:  # replaced by a link that leads out of its folder
                continue
            if path.is_file():
                made.add_path(path, f"{name}{'' if key == main else f'-{key}'}{path.suffix}")
    return made
