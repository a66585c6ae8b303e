"""Where the language model is that plans outlines: an OpenAI-compatible endpoint, named by the environment.

Address, model and key are read from the environment at each use. None of them is kept, logged, or part of an error's
sentence, since that sentence is stored with the run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cosmos_workflow.errors import InputError

URL_VARIABLE = "COSMOS_WORKFLOW_LLM_URL"
MODEL_VARIABLE = "COSMOS_WORKFLOW_LLM_MODEL"
KEY_VARIABLE = "COSMOS_WORKFLOW_LLM_KEY"

_NEEDS = f"set {URL_VARIABLE} and {MODEL_VARIABLE} (and {KEY_VARIABLE}, where a key is needed)"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is. Without a key none is sent."""

    url: str = field(repr=False)
    model: str = field(repr=False)
    key: str = field(repr=False, default="")

    @staticmethod
    def from_environment() -> Endpoint:
        """The endpoint that the environment names; raises InputError with what is missing or wrong there."""
        url, model, key = (os.environ.get(name, "").strip() for name in (URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE))
        if not url or not model:
            raise InputError(
                f"explainer: a topic needs a model; {_NEEDS}, or write an outline, which begins with `title:` and `scenes:`."
            )
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.query)
        except ValueError:
            usable = False
        if not usable:
            raise InputError(f"explainer: {URL_VARIABLE} isn't an address; use one such as http://127.0.0.1:8080/v1.")
        if not (key.isascii() and key.isprintable()):
            raise InputError(f"explainer: {KEY_VARIABLE} holds characters that no key has; copy the key again.")
        return Endpoint(url.rstrip("/"), model, key)

    def scrub(self, text: str) -> str:
        """A text of the server's without what must not be kept."""
        for secret in filter(None, (self.key, self.url, urlsplit(self.url).netloc, self.model)):
            text = text.replace(secret, "***")
        return text
