"""The shelf on the page: what jobs have made, each as one card, above the loose results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Pager
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageState, PageView
from cosmos_workflow.ui.results.cards import shelf_card
from cosmos_workflow.ui.results.filter import ResultFilter
from cosmos_workflow.ui.results.shelf import Shelf, Shelved

CARDS = "results-books"
SHOWN_AT_ONCE = 12


class Finals:
    """The cards, a page at a time; `cards.pieces` fires with the job whose pieces are to be shown or hidden."""

    def __init__(self, page: Page, shelf: Shelf) -> None:
        self._shelf = shelf
        self.cards = components.cards(CARDS, ("pieces",))
        self.pager = Pager(page, CARDS, SHOWN_AT_ONCE)
        page.follow(self.cards, self._key, lambda now: self.value(now.owner, now.state))
        self.pager.follow(lambda now: len(self._found(now.owner, now.state)))

    def folded(self, owner: str) -> list[str]:
        """The jobs whose pieces aren't among the loose results."""
        return [one.job_id for one in self._shelf(owner)]

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
        return [
            one
            for one in self._shelf(owner)
            if one.job_id == wanted.job or (wanted.shows_finals and one.matches(wanted.text, wanted.engine))
        ]

    def _key(self, now: PageView) -> tuple[Any, ...]:
        found = self._found(now.owner, now.state)
        window = self.pager.window(now.state, len(found))
        return window, now.state.of(ResultFilter).job, tuple(one.key for one in found[window.rows])
