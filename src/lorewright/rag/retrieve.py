"""From a conversation to the passages that concern it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.rag.catalogue import Filter
from lorewright.rag.choose import Dropped as Dropped
from lorewright.rag.choose import add_neighbours, choose
from lorewright.rag.embed import TextEmbedder, Vectors
from lorewright.rag.lexical import terms
from lorewright.rag.rerank import load_reranker
from lorewright.rag.store import Hit, Index
from lorewright.rag.words import count_words, last_words
from lorewright.recipe import Rerank

# Embedding models read only the first 256 or 512 tokens; 180 words stay below the lower of the two.
QUERY_WORDS = 180
# Reciprocal rank fusion: a passage counts 1 / (60 + its rank) in each list it stands in (Cormack, Clarke and Buettcher 2009).
RANK_CONSTANT = 60
DEPTH = 20  # passages taken from each list at least


@dataclass(frozen=True)
class Search:
    """How passages are looked for.

    top_k: most passages. max_distance: cosine, 0 to 2; choose.py says what it bounds.
    lexical: by words too.
    per_source: most passages of one file, 0 for any number. neighbours: passages added before and after each.
    categories, sources, tags: what may be found; empty for all.
    """

    top_k: int = 5
    max_distance: float = 1.0
    lexical: bool = True
    per_source: int = 0
    neighbours: int = 0
    rerank: Rerank | None = None
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retrieval:
    """hits: best first, neighbours last. milliseconds: of embedding the query and searching. notes: what did not go as asked."""

    hits: tuple[Hit, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    milliseconds: float = 0.0
    notes: tuple[str, ...] = ()


def retrieve(index: Index, embedder: TextEmbedder, text: str, search: Search) -> Retrieval:
    """The passages that concern the text; none where it does not concern the lore."""
    started = time.perf_counter()
    asked = terms(text) if search.lexical else []
    only = index.catalogue.resolved(Filter(search.categories, search.sources, search.tags))
    depth = max(DEPTH, 4 * search.top_k)
    vector = embedder.query(text)
    found = _found(index, vector, index.catalogue.ranked(asked, depth, only), only, depth)
    notes: tuple[str, ...] = ()
    if search.rerank:
        found, notes = _reranked(text, found, search.rerank)
    hits, dropped = choose(found, index.catalogue.names(asked), search.top_k, search.max_distance, search.per_source)
    hits = add_neighbours(index, hits, search.neighbours)
    milliseconds = (time.perf_counter() - started) * 1000
    return Retrieval(tuple(hits), tuple(dropped), milliseconds, notes)


def _found(index: Index, vector: Vectors, worded: Sequence[str], only: Filter, depth: int) -> list[Hit]:
    """What is near and what has the words, fused: best first."""
    near = {hit.name: hit for hit in index.search(vector, depth, only)}
    scores = _fused([list(near), worded])
    best = sorted(scores, key=lambda name: -scores[name])[:depth]
    new = [name for name in best if name not in near]
    passages, distances = index.catalogue.passages(new), index.distances(vector, new)
    every = near | {name: Hit(passages[name], distances[name], found_by="words", name=name) for name in new}
    both = near.keys() & set(worded)
    return [replace(every[name], score=scores[name], found_by="both" if name in both else every[name].found_by) for name in best]


def _fused(rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            scores[name] = scores.get(name, 0.0) + 1 / (RANK_CONSTANT + rank)
    return scores


def _reranked(text: str, hits: list[Hit], rerank: Rerank) -> tuple[list[Hit], tuple[str, ...]]:
    """The first candidates in the cross-encoder's order and with its scores; all as they were, and a note, when it takes too long."""
    first, rest = hits[: rerank.candidates], hits[rerank.candidates :]
    reranker = load_reranker(rerank.model)
    scores = reranker.scores(text, [hit.passage.text for hit in first], rerank.deadline_ms / 1000) if first else []
    if scores is None:
        return hits, (f"not reranked: it takes longer than {rerank.deadline_ms} ms",)
    best = [replace(hit, score=score) for hit, score in zip(first, scores, strict=True)]
    return sorted(best, key=lambda hit: -hit.score) + rest, ()


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
