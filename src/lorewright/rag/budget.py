"""Keeps a request within the model's context: passages within their budget, the worst dropped first, history by the recipe's rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lorewright.rag.api_error import ApiError
from lorewright.rag.asked import Asked
from lorewright.rag.inject import Style
from lorewright.rag.retrieve import Dropped
from lorewright.rag.store import Hit
from lorewright.rag.tokens import Count, TokenCounter
from lorewright.rag.upstream import Header

ANSWER_TOKENS = 256  # room that lore leaves for an answer whose length the request does not bound


@dataclass(frozen=True)
class Room:
    """What the recipe says. budget: tokens, or up to 1 a share of the context. overflow: error or drop_oldest."""

    style: Style
    budget: float
    overflow: str

    def tokens(self, longest: int) -> int:
        return int(self.budget * longest) if self.budget <= 1 else int(self.budget)


@dataclass
class Fitted:
    """asked: what is sent, perhaps without its oldest turns. tokens: of each passage by its text, where counted."""

    asked: Asked
    hits: list[Hit]
    dropped: list[Dropped] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)


async def fit(counter: TokenCounter, asked: Asked, hits: Sequence[Hit], room: Room, headers: Sequence[Header]) -> Fitted:
    """The hits for which prompt and answer fit the context, counted by the model server's own tokenizer; and the others.

    hits: best first. A server that does not count is not asked twice, and gets them all.
    Raises ApiError 400 when the prompt is too long without any passage, and the recipe's rule does not help. An answer is only as
    long as there is room: the model server cuts max_tokens down to it, so that alone is no reason to refuse.
    """
    fitted = Fitted(asked, list(hits))
    if not hits and room.overflow == "error":
        return fitted  # nothing of ours is in it: the model server judges, in its own words
    count = await counter.prompt(asked.tokenize_body(hits, room.style), headers)
    if count is None:
        return fitted
    texts = [hit.passage.text for hit in hits]
    fitted.tokens = await counter.passages(asked.given.model, texts, headers)
    _keep_budget(fitted, room.tokens(count.longest))
    count = await _keep_context(counter, fitted, room, headers, count)
    if not fitted.hits and _over(count, 1) > 0:
        await _too_long(counter, fitted, room, headers, count)
    return fitted


def _keep_budget(fitted: Fitted, budget: int) -> None:
    """Drops what the budget has no room for; a smaller passage after it may still fit."""
    left, kept = budget, []
    for hit in fitted.hits:
        size = fitted.tokens.get(hit.passage.text, 0)
        if size > left:
            fitted.dropped.append(Dropped(hit, f"budget full: {size} tokens, room for {left} of {budget}"))
        else:
            kept.append(hit)
            left -= size
    fitted.hits = kept


async def _keep_context(counter: TokenCounter, fitted: Fitted, room: Room, headers: Sequence[Header], count: Count) -> Count:
    """Drops the worst passages until the rest fits; each round drops as many as are known to be too many, and counts again.

    count: of the prompt with all passages. Returns the last count: of what is sent, or of more than that where it fitted.
    """
    answer = fitted.asked.answer_tokens or ANSWER_TOKENS
    if fitted.dropped and _over(count, answer) > 0:
        count = await _recount(counter, fitted, room, headers, count)
    while fitted.hits and (excess := _over(count, answer)) > 0:
        freed = 0
        while fitted.hits and (not freed or freed < excess):
            hit = fitted.hits.pop()
            fitted.dropped.append(Dropped(hit, f"context full: {excess - freed} tokens too many"))
            freed += max(1, fitted.tokens.get(hit.passage.text, 1))
        count = await _recount(counter, fitted, room, headers, count)
    return count


async def _too_long(counter: TokenCounter, fitted: Fitted, room: Room, headers: Sequence[Header], count: Count) -> None:
    """Leaves out the fewest of the oldest turns that make room, or raises."""
    whole = fitted.asked
    if room.overflow == "error" or not whole.turns:
        raise _refusal(count, room)
    fewest, most = 1, whole.turns
    shortest = whole.without_oldest(most)
    last = await counter.prompt(shortest.tokenize_body([], room.style), headers) or Count(0, count.longest)
    if _over(last, 1) > 0:
        raise _refusal(last, room)
    while fewest < most:
        middle = (fewest + most) // 2
        tried = await counter.prompt(whole.without_oldest(middle).tokenize_body([], room.style), headers) or Count(0, count.longest)
        fewest, most = (middle + 1, most) if _over(tried, 1) > 0 else (fewest, middle)
    fitted.asked = whole.without_oldest(most)


async def _recount(counter: TokenCounter, fitted: Fitted, room: Room, headers: Sequence[Header], before: Count) -> Count:
    """What is sent now. A server that has stopped counting judges the prompt itself: then it counts as fitting."""
    return await counter.prompt(fitted.asked.tokenize_body(fitted.hits, room.style), headers) or Count(0, before.longest)


def _over(count: Count, answer: int) -> int:
    return count.tokens + answer - count.longest


def _refusal(count: Count, room: Room) -> ApiError:
    said = f"the prompt has {count.tokens} tokens without any lore; the model's context is {count.longest}, the answer included"
    what = "shorten the prompt" if room.overflow == "drop_oldest" else "shorten it, or set rag.overflow: drop_oldest"
    return ApiError(400, f"{said}; {what}", code="context_length_exceeded")
