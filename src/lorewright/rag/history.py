"""What /stats shows: how many questions there were, and the last fifty in full."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lorewright.rag.api_error import ApiError
from lorewright.rag.retrieve import Dropped
from lorewright.rag.store import Hit

KEPT = 50
LONGEST_QUESTION = 2000  # characters
CLIENT_LEFT = 499  # nginx's number for it; HTTP has none


@dataclass
class Query:
    """One question while it is answered, and after. status and total_ms stay None until it ends."""

    time: str
    question: str
    streamed: bool
    hits: Sequence[Hit] = ()
    dropped: Sequence[Dropped] = ()
    retrieval_ms: float | None = None
    status: int | None = None
    total_ms: float | None = None
    error: str | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "question": self.question,
            "streamed": self.streamed,
            "passages": [shown_hit(hit) for hit in self.hits],
            "dropped": [shown_hit(one.hit) | {"reason": one.reason} for one in self.dropped],
            "retrieval_ms": self.retrieval_ms,
            "status": self.status,
            "total_ms": self.total_ms,
            "error": self.error,
        }


@dataclass
class History:
    """Used on the event loop only, so it needs no lock."""

    total: int = 0
    recent: deque[Query] = field(default_factory=lambda: deque(maxlen=KEPT))

    @contextmanager
    def record(self, question: str, streamed: bool) -> Iterator[Query]:
        """Enters a question while it is being answered, and notes how that ended."""
        query = Query(datetime.now(UTC).isoformat(timespec="milliseconds"), question[:LONGEST_QUESTION], streamed)
        self.total += 1
        self.recent.appendleft(query)
        started = time.perf_counter()
        try:
            yield query
        except asyncio.CancelledError:
            if query.status is None:
                query.status, query.error = CLIENT_LEFT, "the client hung up"
            raise
        except Exception as problem:
            query.status = problem.status if isinstance(problem, ApiError) else 500
            query.error = str(problem) or type(problem).__name__
            raise
        finally:
            query.total_ms = round((time.perf_counter() - started) * 1000, 1)


def shown_hit(hit: Hit) -> dict[str, Any]:
    passage = hit.passage
    return {"source": passage.source, "heading": passage.heading, "category": passage.category, "distance": round(hit.distance, 4)}
