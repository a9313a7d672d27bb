"""From a conversation to the passages that concern it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.rag.embed import TextEmbedder
from lorewright.rag.store import Hit, Index
from lorewright.rag.words import count_words, last_words

# Embedding models read only the first 256 or 512 tokens; 180 words stay below the lower of the two.
QUERY_WORDS = 180


@dataclass(frozen=True)
class Search:
    """top_k: most passages. max_distance: cosine, 0 to 2. categories, sources, tags: only passages of one of them; empty for all."""

    top_k: int = 5
    max_distance: float = 1.0
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dropped:
    """A passage found but not used, and why."""

    hit: Hit
    reason: str


@dataclass(frozen=True)
class Retrieval:
    """hits: nearest first. milliseconds: of embedding the query and searching."""

    hits: tuple[Hit, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    milliseconds: float = 0.0


def retrieve(index: Index, embedder: TextEmbedder, text: str, search: Search) -> Retrieval:
    """The passages nearest to the text that the search admits, nearest first."""
    started = time.perf_counter()
    filtered = search.categories or search.sources or search.tags
    found = index.search(embedder.query(text), index.count if filtered else search.top_k)
    found = [hit for hit in found if _admitted(hit, search)][: search.top_k]
    milliseconds = (time.perf_counter() - started) * 1000
    far = tuple(Dropped(hit, f"farther than {search.max_distance:g}") for hit in found if hit.distance > search.max_distance)
    return Retrieval(tuple(hit for hit in found if hit.distance <= search.max_distance), far, milliseconds)


def _admitted(hit: Hit, search: Search) -> bool:
    passage = hit.passage
    if search.categories and passage.category not in search.categories:
        return False
    if search.sources and passage.source not in search.sources:
        return False
    return not search.tags or bool(set(search.tags) & set(passage.tags))


def require_same_model(index: Index, embedder: TextEmbedder) -> None:
    """Raises LorewrightError unless the index was made with this embedder: distances between two models mean nothing."""
    made_with = (index.stamp["embedding_model"], index.stamp["dimension"])
    if made_with != (embedder.name, embedder.dimension):
        raise LorewrightError(
            f"the lore index was made with {made_with[0]} ({made_with[1]} numbers), the proxy uses {embedder.name} ({embedder.dimension})",
            where=str(index.folder),
            remedy=f"ingest the lore again, or set rag.embedding_model to {made_with[0]}",
        )


def query_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """What to search for: the last two user turns, newest last, at most 180 words; the newest turn is cut last.

    messages: OpenAI chat messages; content is a string or a list of parts, of which the text counts.
    """
    turns = user_turns(messages)[-2:]
    newest = last_words(turns[-1], QUERY_WORDS) if turns else ""
    before = last_words(turns[0], QUERY_WORDS - count_words(newest)) if len(turns) == 2 else ""
    return f"{before}\n{newest}".strip()


def user_turns(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each user message that has some, oldest first."""
    turns = (content_text(message.get("content")) for message in messages if message.get("role") == "user")
    return [turn for turn in turns if turn]


def content_text(content: Any) -> str:
    """The text of an OpenAI message content: a string, or parts of which only text counts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        content = "\n".join(text for text in texts if isinstance(text, str))
    # JSON can escape half a surrogate pair, which neither tokenizers nor UTF-8 take.
    return content.encode("utf-8", "replace").decode().strip() if isinstance(content, str) else ""
