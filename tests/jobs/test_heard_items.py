"""What a queue makes is heard back where its items ask for it, and only there."""

from __future__ import annotations

from cosmos_workflow.checking.records import Verdicts
from cosmos_workflow.checking.verdict import Hearing, Verdict
from cosmos_workflow.checking.worker import Checker, CheckTask, Done
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.files import Disk
from cosmos_workflow.jobs.heard_items import HeardItems
from cosmos_workflow.queueing import Prompt, Queue


class Repeater(Checker):
    """Hears exactly what should be said, and nothing of a text that begins with "mute"."""

    def __init__(self) -> None:
        self.asked: list[CheckTask] = []
        self.closed = False

    def require(self, model: str) -> None:
        """It can hear everywhere."""

    def submit(self, task: CheckTask, done: Done) -> None:
        self.asked.append(task)
        if task.text.startswith("mute"):
            done(None, "It took too long.")
        else:
            done(Verdict((), Hearing(task.model, task.language, task.text, task.text, (), (), 0.0, 0.0), 1.0), "")

    def close(self) -> None:
        self.closed = True


def test_items_that_ask_for_it_are_heard_and_their_results_carry_the_score(operations: Operations) -> None:
    repeater = Repeater()
    heard = HeardItems(operations.store, lambda: repeater)
    operations.on_made = heard.take
    queue = Queue()
    params = {"voice": "de"}
    items = queue.add_to_queue([Prompt("Guten Morgen."), Prompt("mute")], "espeak", params, check="base")
    items += queue.add_to_queue([Prompt("Nobody listens.")], "espeak", params)
    assert len({item.batch_key for item in items}) == 1
    runs = [operations.store.runs.get(result.run_id) for result in operations.batch_inference(items)]
    assert sorted((task.text, task.language, task.model) for task in repeater.asked) == [
        ("Guten Morgen.", "de", "base"),
        ("mute", "de", "base"),
    ]
    scores = {run.prompt_text: Verdicts(Disk()).heard(operations.store.runs.folder(run.id)) for run in runs if run}
    assert {text: verdict and verdict.value for text, verdict in scores.items()} == {
        "Guten Morgen.": 1.0,
        "mute": None,
        "Nobody listens.": None,
    }
    assert heard.heard == 2
    heard.close()
    assert repeater.closed
