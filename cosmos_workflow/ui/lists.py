"""Tables, cards and bars that change row by row in the browser; `static/page.js` draws them.

Their value is plain JSON. They are functions, because gradio writes a stub file beside every subclass of a component.
"""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr


def table(elem_id: str) -> gr.HTML:
    """Rows with a box to select each; `select` fires with the id of a row that was opened."""
    return _drawn(f"table(element, props, trigger, watch, '{elem_id}')", elem_id)


def cards(elem_id: str, actions: Sequence[str] = ()) -> gr.HTML:
    """Cards with players; each action is an event of the component, fired with the id of the card whose button was clicked."""
    return _drawn(f"cards(element, props, trigger, watch, {list(actions)})", elem_id)


def bars(elem_id: str) -> gr.HTML:
    """What runs, with its bars."""
    return _drawn("progress(element, props, watch)", elem_id)


def states(elem_id: str, table_id: str) -> gr.HTML:
    """Draws nothing of its own: fills the status cells of a table, so that its rows stay as they are."""
    return _drawn(f"states(element, props, watch, '{table_id}')", elem_id)


def problems(elem_id: str, editor_id: str) -> gr.HTML:
    """What is wrong in a text, a line each, marked in the editor too; a click goes there."""
    return _drawn(f"problems(element, props, watch, '{editor_id}')", elem_id)


def counter(elem_id: str) -> gr.HTML:
    """The queue in a few words, and the tab's title."""
    return _drawn("counter(element, props, watch)", elem_id)


def opened_id(event: gr.EventData) -> str:
    """The id that an event of a table or of cards brought along."""
    return sent_by(event)[0]


def sent_by(event: gr.EventData) -> tuple[str, str]:
    """The id that an event of a table or of cards brought along, and the value of the button that was clicked."""
    data: dict[str, object] = event._data
    return str(data.get("id", "")), str(data.get("value", ""))


def selected_in(table_id: str) -> str:
    """JavaScript that puts the ids selected in a table in the place of an event's first input."""
    return f"(...values) => {{ values[0] = window.cosmos.selected('{table_id}'); return values; }}"


def select_in(table_id: str) -> str:
    """JavaScript that selects the ids of an event's first input in a table."""
    return f"(ids) => {{ window.cosmos.select('{table_id}', ids); }}"


def also_select_in(table_id: str) -> str:
    """JavaScript that adds the ids of an event's first input to what is selected in a table."""
    return f"(ids) => {{ window.cosmos.select('{table_id}', [...window.cosmos.selected('{table_id}'), ...ids]); }}"


def _drawn(call: str, elem_id: str) -> gr.HTML:
    script = f"window.cosmos.{call};"
    return gr.HTML(None, html_template="", js_on_load=script, apply_default_css=False, elem_id=elem_id)
