"""One chat request: parsed once, and written again with nothing changed but its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lorewright.rag.api_error import ApiError
from lorewright.rag.body import Body, Rules, read_body
from lorewright.rag.inject import Message, Style, inject
from lorewright.rag.retrieve import query_text, user_turns
from lorewright.rag.store import Hit

# Fields that change how the chat template renders, so they count when tokens are counted.
RENDERING = (
    "model", "tools", "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
    "add_special_tokens", "media_io_kwargs", "mm_processor_kwargs",
)  # fmt: skip
FIXED = ("system", "developer")  # roles whose messages are never left out


@dataclass(frozen=True)
class ChatRequest:
    """given: the checked body. messages: what is sent of it. left_out: how many of its messages are not."""

    path: ClassVar[str] = "/v1/chat/completions"
    given: Body
    messages: list[Message]
    left_out: int = 0

    @property
    def answer_tokens(self) -> int | None:
        """How long the answer may get; None where the request does not say."""
        limits = [self.given.values.get(name) for name in ("max_tokens", "max_completion_tokens")]
        return max((limit for limit in limits if isinstance(limit, int)), default=None)

    @property
    def question(self) -> str:
        """The newest user turn, for people to read."""
        turns = user_turns(self.messages)
        return turns[-1] if turns else ""

    @property
    def search_text(self) -> str:
        return query_text(self.messages)

    def content(self, hits: Sequence[Hit], style: Style) -> bytes:
        return self.given.written({"messages": inject(self.messages, hits, style)} if hits or self.left_out else {})

    def tokenize_body(self, hits: Sequence[Hit], style: Style) -> dict[str, Any]:
        values = self.given.values
        return {**{name: values[name] for name in RENDERING if name in values}, "messages": inject(self.messages, hits, style)}

    @property
    def turns(self) -> int:
        """How many of the oldest turns can be left out: a turn is a user message and all up to the next; the last one stays."""
        return max(0, len(self._starts()) - 1)

    def without_oldest(self, turns: int) -> ChatRequest:
        """System messages stay, wherever they stand. turns: 0 to self.turns."""
        first = self._starts()[turns] if turns else 0
        kept = [message for number, message in enumerate(self.messages) if number >= first or message.get("role") in FIXED]
        return replace(self, messages=kept, left_out=self.left_out + len(self.messages) - len(kept))

    def _starts(self) -> list[int]:
        return [number for number, message in enumerate(self.messages) if message.get("role") == "user"]


def read_chat(raw: bytes, rules: Rules) -> ChatRequest:
    """Checks what the proxy itself needs; all else is upstream's to judge. Raises ApiError 400."""
    body = read_body(raw, rules)
    messages = body.values.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, Mapping) for message in messages):
        raise ApiError(400, "messages must be a list of at least one message object", param="messages")
    return ChatRequest(body, messages)
