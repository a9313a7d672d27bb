"""Keeps passages from pushing a conversation over the model's context: the farthest goes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lorewright.rag.chat_request import ChatRequest
from lorewright.rag.inject import inject
from lorewright.rag.retrieve import Dropped
from lorewright.rag.store import Hit
from lorewright.rag.upstream import Header, Upstream


async def fit(upstream: Upstream, chat: ChatRequest, hits: Sequence[Hit], headers: Sequence[Header]) -> tuple[list[Hit], list[Dropped]]:
    """The hits for which prompt and answer fit the context, counted by the model server's own tokenizer; and the others.

    hits: nearest first. A server that does not count is not asked twice, and gets them all.
    """
    kept, dropped = list(hits), list[Dropped]()
    while kept:
        counted = await upstream.tokenize(chat.tokenize_body(inject(chat.messages, kept)), headers)
        excess = tokens_over(counted, chat.answer_tokens)
        if excess <= 0:
            break
        dropped.append(Dropped(kept.pop(), f"context full: {excess} tokens too many"))
    return kept, dropped


def tokens_over(counted: Any, answer_tokens: int) -> int:
    """How many tokens are too many; 0 or less when they fit, or when the server did not say."""
    if not isinstance(counted, dict):
        return 0
    count, longest = counted.get("count"), counted.get("max_model_len")
    return count + answer_tokens - longest if isinstance(count, int) and isinstance(longest, int) else 0
