"""The shelf on the page: what jobs have made, each as one card, above the loose results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Pager
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageState, PageView
from cosmos_workflow.ui.results.cards import shelf_card
from cosmos_workflow.ui.results.shelf import Shelved, Shelves

CARDS = "results-books"
SHOWN_AT_ONCE = 12


@dataclass(slots=True)
class ResultFilter:
    """Which results an open page shows; empty means any. `job` is the one whose pieces are shown, and nothing else."""

    engine: str = ""
    status: str = ""
    text: str = ""
    job: str = ""


class Finals:
    """The cards, a page at a time; `cards.pieces` fires with the job whose pieces are to be shown or hidden."""

    def __init__(self, page: Page, shelf: Shelves) -> None:
        self._shelf = shelf
        self.cards = components.cards(CARDS, ("pieces",))
        self.pager = Pager(page, CARDS, SHOWN_AT_ONCE)
        page.follow(self.cards, self._key, lambda now: self.value(now.owner, now.state))
        self.pager.follow(lambda now: len(self._found(now.owner, now.state)))

    def folded_key(self, now: PageView) -> tuple[Any, ...]:
        """What the loose results depend on, of what stands here: the jobs, and what there is of the one that is unfolded."""
        opened = now.state.of(ResultFilter).job
        shelf = self._shelf(now.owner)
        return tuple(one.job_id for one in shelf), tuple(one.key for one in shelf if one.job_id == opened)

    def value(self, owner: str, state: PageState) -> dict[str, Any]:
        """The page of cards that is looked at."""
        found, opened = self._found(owner, state), state.of(ResultFilter).job
        window = self.pager.window(state, len(found))
        rows = [shelf_card(one, one.job_id == opened) for one in found[window.rows]]
        return {"rows": rows, "empty": "", "page": window.text}

    def _found(self, owner: str, state: PageState) -> Sequence[Shelved]:
        """What is looked for; the job whose pieces are shown stays there, to be folded again."""
        wanted = state.of(ResultFilter)
        shows = wanted.status in ("", ItemStatus.SUCCEEDED)
        found = self._shelf(owner)
        return [one for one in found if one.job_id == wanted.job or (shows and one.matches(wanted.text, wanted.engine))]

    def _key(self, now: PageView) -> tuple[Any, ...]:
        found = self._found(now.owner, now.state)
        window = self.pager.window(now.state, len(found))
        return window, now.state.of(ResultFilter).job, tuple(one.key for one in found[window.rows])
