"""The page's event stream: no answer is lost, and a server that is gone is no secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from page_support import Server, add, open_tab, tick
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

LATE_ENDS = """
const plain = window.fetch;
let joining = 0;
let release = () => {};
window.fetch = async (input, init) => {
  const url = String(input instanceof Request ? input.url : input);
  const joins = url.includes("/queue/join");
  if (joins) joining += 1;
  const response = await plain(input, init);
  if (joins) setTimeout(() => { joining -= 1; if (!joining) release(); }, 300);
  if (!url.includes("/queue/data")) return response;
  const late = new TransformStream({
    async transform(text, out) {
      const end = text.search(/data: [^\\n]*close_stream/);
      out.enqueue(end < 0 ? text : text.slice(0, end));
      if (end < 0) return;
      await new Promise((resolve) => { release = resolve; });
      out.enqueue(text.slice(end));
    },
  });
  const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(late).pipeThrough(new TextEncoderStream());
  return new Response(body, { headers: response.headers });
};
"""
"""The end of a stream is read only after the next event was queued, as on a browser that is busy."""


def test_an_event_that_is_queued_while_the_stream_ends_is_answered(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url, init_script=LATE_ENDS)
    tick(page, "Welcome")
    for queued in range(1, 4):
        add(page, queued)
    open_tab(page, "Queue")
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results audio")).to_have_count(3)
    expect(page.locator("#queue-counter")).to_have_text("Queue empty")


def test_a_page_whose_server_died_says_so_and_works_again_when_it_is_back(
    serve: Callable[..., Server], visit: Callable[..., Page]
) -> None:
    first = serve()
    page = visit(first.url)
    tick(page, "Welcome")
    add(page, 1)
    first.kill()
    page.locator("#add-to-queue").click()
    expect(page.locator(".toast-body.error")).to_contain_text("Connection to the server was lost")
    serve(port=int(first.url.rsplit(":", 1)[1]))
    expect(page.locator(".toast-body.error")).to_have_count(0)
    expect(page.locator("#queue-counter")).to_have_text("1 queued")
    tick(page, "Welcome")
    add(page, 2)
