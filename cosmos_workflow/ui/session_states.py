"""What the server remembers of each open page, without those that were closed long ago."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder

KEPT = 32
"""Closed pages that may still come back, as after a laptop's sleep; their queues are never among what is forgotten."""


class SessionStates(StateHolder):
    """Forgets the oldest of the pages that were closed and of the calls that hold nothing.

    Gradio itself keeps 10,000, each with a copy of the whole page's settings, about a third of a megabyte.
    """

    def __getitem__(self, session_id: str) -> SessionState:
        known = session_id in self
        state = super().__getitem__(session_id)
        if known:
            return state
        with self.lock:
            over = [name for name, one in self.session_data.items() if one.is_closed or not one.state_data]
            for name in over[:-KEPT]:
                del self.session_data[name]
                self.time_last_used.pop(name, None)
        return state


def remember_less(app: FastAPI, demo: gr.Blocks) -> SessionStates:
    """Have the page that was mounted last keep its sessions in `SessionStates`; before the first is opened."""
    mounted: Any = app.routes[-1]
    while not isinstance(mounted, App):
        mounted = mounted.app
    mounted.state_holder = states = SessionStates()
    states.set_blocks(demo)
    return states
