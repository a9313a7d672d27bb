"""One text completion: a prompt without roles, and lore before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lorewright.rag.api_error import ApiError
from lorewright.rag.body import Body, Rules, read_body
from lorewright.rag.inject import Style, before_prompt
from lorewright.rag.retrieve import query_text
from lorewright.rag.store import Hit

ANSWER_TOKENS = 16  # what OpenAI's API and vLLM give a text completion that names no length


@dataclass(frozen=True)
class TextRequest:
    """given: the checked body. prompt: its text; None for token numbers or several prompts, which go on without lore."""

    path: ClassVar[str] = "/v1/completions"
    turns: ClassVar[int] = 0  # a prompt has no turns that could be told apart
    left_out: ClassVar[int] = 0
    given: Body
    prompt: str | None

    @property
    def answer_tokens(self) -> int | None:
        length = self.given.values.get("max_tokens")
        return length if isinstance(length, int) else ANSWER_TOKENS

    @property
    def question(self) -> str:
        """The prompt's end, for people to read: the beginning is often a card that never changes."""
        return self.search_text

    @property
    def search_text(self) -> str:
        return query_text([{"role": "user", "content": self.prompt}])

    def content(self, hits: Sequence[Hit], style: Style) -> bytes:
        return self.given.written({"prompt": before_prompt(self.prompt, hits, style)} if hits and self.prompt is not None else {})

    def tokenize_body(self, hits: Sequence[Hit], style: Style) -> dict[str, Any]:
        values = self.given.values
        same = {name: values[name] for name in ("model", "add_special_tokens") if name in values}
        return same | {"prompt": before_prompt(self.prompt or "", hits, style)}

    def without_oldest(self, turns: int) -> TextRequest:
        return self


def read_text(raw: bytes, rules: Rules) -> TextRequest:
    """Raises ApiError 400: also where lore is asked for by name and the prompt is not one text."""
    body = read_body(raw, rules)
    prompt = body.values.get("prompt")
    if not isinstance(prompt, (str, list)) or not prompt:
        raise ApiError(400, "prompt must be a text, or a list of texts or tokens", param="prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    if not isinstance(prompt, str) and body.lore.asked and body.lore.wanted:
        raise ApiError(400, "lore needs one prompt in text; send prompts one by one, or leave the field lore out", param="lore")
    return TextRequest(body, prompt if isinstance(prompt, str) else None)
