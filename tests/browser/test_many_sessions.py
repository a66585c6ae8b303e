"""Twenty clients at once, each adding, running, pausing and clearing: none sees another's queue."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from page_support import Server, connect

VISITORS = 20


def visit_page(url: str, number: int) -> list[str]:
    """What one client saw, a line for each thing that was wrong."""
    client = connect(url)
    texts = [f"Visitor {number}, item {item}." for item in range(3)]
    added = client.predict("", texts, "espeak", {"rate": 300}, {}, api_name="/add_to_queue")
    token = added["token"]
    shown = client.predict(token, api_name="/get_queue_display")
    seen = [row[shown["headers"].index("Prompt")] for row in shown["data"]]
    wrong = [] if seen == texts else [f"{number} saw {seen}"]
    if number % 2:
        gone = client.predict(token, api_name="/clear_queue")["removed"]
        return wrong if gone == added["added"] else [*wrong, f"{number} cleared {gone}"]
    client.predict(token, api_name="/pause_queue")
    answers: list[Any] = list(client.submit(token, api_name="/process_queue"))
    return wrong if answers[-1]["done"] == {"succeeded": 3} else [*wrong, f"{number} ended with {answers[-1]}"]


@pytest.mark.long
def test_twenty_clients_at_once_never_meet(serve: Callable[..., Server]) -> None:
    server = serve()
    with ThreadPoolExecutor(VISITORS) as pool:
        wrong = [line for lines in pool.map(lambda number: visit_page(server.url, number), range(VISITORS)) for line in lines]
    assert wrong == []
