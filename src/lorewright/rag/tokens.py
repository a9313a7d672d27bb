"""Tokens as the served model's own tokenizer counts them, through vLLM's /tokenize."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorewright.rag.upstream import Header, Upstream

KNOWN = 10_000  # passages whose counts are remembered


@dataclass(frozen=True)
class Count:
    """tokens: of a prompt, its template included. longest: the model's context."""

    tokens: int
    longest: int


class TokenCounter:
    """Remembers passages, which come again and again; a conversation is counted each time."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._known: OrderedDict[tuple[Any, str], int] = OrderedDict()

    async def prompt(self, body: Mapping[str, Any], headers: Sequence[Header]) -> Count | None:
        """None where the model server does not count."""
        return read_count(await self._upstream.tokenize(body, headers))

    async def passages(self, model: Any, texts: Sequence[str], headers: Sequence[Header]) -> dict[str, int]:
        """Each text's tokens, without those that begin or end a prompt; a text that could not be counted is missing."""
        model = model if isinstance(model, str) else ""
        unknown = [text for text in dict.fromkeys(texts) if (model, text) not in self._known]
        counts = await asyncio.gather(*(self._one(model, text, headers) for text in unknown))
        found = {text: count for text, count in zip(unknown, counts, strict=True) if count is not None}
        for text in texts:
            if (model, text) in self._known:
                self._known.move_to_end((model, text))
                found[text] = self._known[model, text]
        self._remember({(model, text): count for text, count in found.items()})
        return found

    async def _one(self, model: str, text: str, headers: Sequence[Header]) -> int | None:
        body = {"prompt": text, "add_special_tokens": False} | ({"model": model} if model else {})
        count = read_count(await self._upstream.tokenize(body, headers))
        return count.tokens if count else None

    def _remember(self, counts: Mapping[tuple[Any, str], int]) -> None:
        self._known.update(counts)
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


def read_count(answer: Any) -> Count | None:
    """answer: /tokenize's, parsed; anything else than two numbers is no count."""
    if not isinstance(answer, Mapping):
        return None
    tokens, longest = answer.get("count"), answer.get("max_model_len")
    return Count(tokens, longest) if isinstance(tokens, int) and isinstance(longest, int) else None
