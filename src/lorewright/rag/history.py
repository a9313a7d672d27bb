"""What the proxy knows of its requests: the last fifty in full for /stats and /v1/lore/last, and counts and times of all."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from lorewright.rag.api_error import ApiError
from lorewright.rag.latency import Latency
from lorewright.rag.retrieve import Dropped
from lorewright.rag.store import Hit

KEPT = 50
LONGEST_QUESTION = 2000  # characters
CLIENT_LEFT = 499  # nginx's number for it; HTTP has none
REQUEST = "x-lorewright-request"


@dataclass
class Query:
    """One question while it is answered, and after. status and total_ms stay None until it ends.

    search_text: what was searched for. tokens: by a passage's text, where the model server counted them. left_out: messages.
    notes: what retrieval could not do as the recipe asks.
    """

    path: str
    question: str
    streamed: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    started: float = field(default_factory=perf_counter)
    search_text: str = ""
    hits: Sequence[Hit] = ()
    dropped: Sequence[Dropped] = ()
    notes: Sequence[str] = ()
    tokens: Mapping[str, int] = field(default_factory=dict)
    left_out: int = 0
    retrieval_ms: float | None = None
    first_byte_ms: float | None = None
    status: int | None = None
    total_ms: float | None = None
    error: str | None = None

    def first_byte(self) -> None:
        self.first_byte_ms = self.milliseconds()

    def milliseconds(self) -> float:
        return round((perf_counter() - self.started) * 1000, 1)

    def shown(self) -> dict[str, Any]:
        return {
            "request": self.id,
            "time": self.time,
            "path": self.path,
            "question": self.question,
            "streamed": self.streamed,
            "passages": [self._shown(hit) for hit in self.hits],
            "dropped": [self._shown(one.hit) | {"reason": one.reason} for one in self.dropped],
            "notes": list(self.notes),
            "dropped_messages": self.left_out,
            "retrieval_ms": self.retrieval_ms,
            "first_byte_ms": self.first_byte_ms,
            "status": self.status,
            "total_ms": self.total_ms,
            "error": self.error,
        }

    def lore(self) -> dict[str, Any]:
        """What the answer was given, in full."""
        return {
            "request": self.id,
            "query": self.search_text,
            "passages": [self._whole(hit) for hit in self.hits],
            "dropped": [self._whole(one.hit) | {"reason": one.reason} for one in self.dropped],
            "notes": list(self.notes),
        }

    def _shown(self, hit: Hit) -> dict[str, Any]:
        passage = hit.passage
        known = {"source": passage.source, "heading": passage.heading, "category": passage.category}
        return known | {"distance": round(hit.distance, 4), "score": round(hit.score, 4), "tokens": self.tokens.get(passage.text)}

    def _whole(self, hit: Hit) -> dict[str, Any]:
        return self._shown(hit) | {"title": hit.passage.title, "text": hit.passage.text}


@dataclass
class History:
    """outcomes: how many by path and status. injected: passages given to the model. dropped: passages found and not given.

    Used on the event loop only, so it needs no lock.
    """

    total: int = 0
    injected: int = 0
    dropped: int = 0
    outcomes: Counter[tuple[str, int]] = field(default_factory=Counter)
    recent: deque[Query] = field(default_factory=lambda: deque(maxlen=KEPT))
    retrieval: Latency = field(default_factory=Latency)
    first_byte: Latency = field(default_factory=Latency)
    whole: Latency = field(default_factory=Latency)

    @contextmanager
    def record(self, path: str, question: str | None, streamed: bool) -> Iterator[Query]:
        """Enters a question while it is being answered, and notes how that ended. An ApiError gets the request's number.

        question: None for what is no question; it is only counted.
        """
        query = Query(path, (question or "")[:LONGEST_QUESTION], streamed)
        if question is not None:
            self.total += 1
            self.recent.appendleft(query)
        try:
            yield query
        except asyncio.CancelledError:
            if query.status is None:
                query.status, query.error = CLIENT_LEFT, "the client hung up"
            raise
        except ApiError as problem:
            problem.headers[REQUEST] = query.id
            query.status, query.error = problem.status, problem.message
            raise
        except Exception as problem:
            query.status, query.error = 500, str(problem) or type(problem).__name__
            raise
        finally:
            query.total_ms = query.milliseconds()
            self._count(query)

    def found(self, number: str) -> Query | None:
        """The request of that number, or the newest for an empty one; None when it is not, or no longer, known."""
        return next((query for query in self.recent if number in ("", query.id)), None)

    def latency(self) -> dict[str, Any]:
        """Percentiles in milliseconds; total: of answered requests."""
        return {"retrieval": self.retrieval.shown(), "first_byte": self.first_byte.shown(), "total": self.whole.shown()}

    def typical_seconds(self) -> float:
        return (self.whole.shown()["p50"] or 1000.0) / 1000

    def _count(self, query: Query) -> None:
        self.outcomes[query.path, query.status or 500] += 1
        self.injected += len(query.hits)
        self.dropped += len(query.dropped)
        for milliseconds, latency in ((query.retrieval_ms, self.retrieval), (query.first_byte_ms, self.first_byte)):
            if milliseconds is not None:
                latency.add(milliseconds / 1000)
        if query.status == 200 and query.total_ms is not None:
            self.whole.add(query.total_ms / 1000)
