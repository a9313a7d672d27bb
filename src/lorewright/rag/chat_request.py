"""One chat request: parsed once, and written again with nothing changed but its messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorewright.rag.api_error import ApiError

ANSWER_TOKENS = 256  # room kept for an answer whose length the request does not bound
SWITCH: dict[Any, bool] = {True: True, "on": True, None: True, False: False, "off": False}
# Fields that change how the chat template renders, so they count when tokens are counted.
RENDERING = ("model", "tools", "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message")


@dataclass(frozen=True)
class ChatRequest:
    """raw: the body as it came, empty if `lore` had to be taken out. body: parsed, without `lore`. lore: whether passages are wanted."""

    raw: bytes
    body: Mapping[str, Any]
    lore: bool

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        return list(self.body["messages"])

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def answer_tokens(self) -> int:
        limits = [self.body.get(name) for name in ("max_tokens", "max_completion_tokens")]
        return max((limit for limit in limits if isinstance(limit, int)), default=0) or ANSWER_TOKENS

    def with_messages(self, messages: Sequence[Mapping[str, Any]]) -> bytes:
        """The body to forward; byte for byte what came when there is nothing to change."""
        if self.raw and messages == self.messages:
            return self.raw
        return json.dumps({**self.body, "messages": messages}).encode()

    def tokenize_body(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {**{name: self.body[name] for name in RENDERING if name in self.body}, "messages": messages}


def read_chat(raw: bytes) -> ChatRequest:
    """Checks what the proxy itself needs; all else is upstream's to judge. Raises ApiError 400."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise ApiError(400, f"the request body is not valid JSON: {problem}") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the request body must be a JSON object")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise ApiError(400, "messages must be a list of at least one message object")
    raw = b"" if "lore" in body else raw
    given = body.pop("lore", None)
    if not isinstance(given, (bool, str, type(None))) or given not in SWITCH:
        raise ApiError(400, 'lore must be true, false, "on" or "off"')
    return ChatRequest(raw, body, SWITCH[given])
