// One event stream that stays, whatever the server does with its own.
//
// Gradio's server ends its stream as soon as it has nothing left to answer, and says so in a last message, "close_stream".
// Its browser side opens another with the next event only if it has read that message by then: an event that is queued
// meanwhile is answered into nothing, and its click is lost. So the browser side never gets to see that message. It keeps
// the one stream that it is given here, and behind it one is fetched whenever an event waits for its answer.
(() => {
  const plain = window.fetch;
  const waiting = new Set(); // events whose answer hasn't come
  const early = new Set(); // events whose answer came before the reply that names them
  let resume = () => {};

  function joined(event) {
    if (!early.delete(event)) waiting.add(event);
    resume();
  }

  function answered(event) {
    if (!waiting.delete(event)) early.add(event);
  }

  // A line of the server's stream, as the browser side is to read it.
  function pass(line) {
    if (!line.startsWith("data:")) return line;
    const message = JSON.parse(line.slice(5));
    if (message.msg === "process_completed") answered(message.event_id);
    return message.msg === "close_stream" ? "" : line;
  }

  async function read(response, write) {
    if (!response.ok) throw new Error(`the event stream answers ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) write(pass(line) + "\n");
    }
  }

  async function pump({ url, headers, credentials, signal }, write) {
    while (!signal.aborted) {
      try {
        if (waiting.size) await read(await plain(url, { headers, credentials, signal }), write);
      } catch (error) {
        if (signal.aborted) return;
        console.warn(error);
        waiting.clear();
        write(`data: ${JSON.stringify({ msg: "broken_connection", message: "Connection to the server was lost." })}\n\n`);
      }
      if (!waiting.size) await new Promise((resolve) => { resume = resolve; });
    }
  }

  function stream(request) {
    const text = new TextEncoder();
    const body = new ReadableStream({ start: (out) => { pump(request, (line) => out.enqueue(text.encode(line))); } });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  window.fetch = async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input, window.location.href);
    if (pathname.endsWith("/queue/data")) return stream(new Request(input, init));
    const response = await plain.call(window, input, init);
    if (pathname.endsWith("/queue/join") && response.ok) {
      const { event_id } = await response.clone().json();
      if (event_id) joined(event_id);
    }
    return response;
  };
})();
