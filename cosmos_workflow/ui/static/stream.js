// Gradio's browser side drops its event stream the moment no event is open. An event that is on its way to the server just
// then is answered into the dropped stream, and its click is lost. So a stream stays until the server ends it, which it does
// as soon as it has nothing left to answer; who reads an answer is found by the event's id, whichever stream brings it.
(() => {
  const plain = window.fetch;
  window.fetch = (input, init) => {
    const address = String(input instanceof Request ? input.url : input);
    return plain.call(window, input, address.includes("/queue/data?") ? { ...init, signal: undefined } : init);
  };
})();
