"""A completion on its way through the proxy: read, wait for a turn, retrieve, inject, forward."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from lorewright.rag.asked import Asked
from lorewright.rag.body import Rules, receive_body
from lorewright.rag.budget import Fitted, fit
from lorewright.rag.hangup import while_connected
from lorewright.rag.history import REQUEST, Query
from lorewright.rag.proxy import Proxy
from lorewright.rag.relay import relay
from lorewright.rag.retrieve import Retrieval
from lorewright.rag.store import Hit
from lorewright.rag.upstream import Header, request_headers

LONGEST_HEADER = 4096  # bytes; servers and clients commonly refuse 8 KiB of headers


@dataclass(frozen=True)
class Completion:
    """The ASGI endpoint of one route. Raises ApiError, before anything is sent, for the app to answer with.

    read: the request of this route from its body. rules: what may stand in it.
    """

    proxy: Proxy
    read: Callable[[bytes, Rules], Asked]
    rules: Rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            asked = self.read(await receive_body(request, self.rules.limits), self.rules)
        except ClientDisconnect:
            return
        await while_connected(receive, self._answer(asked, request_headers(request.headers.raw), send))

    async def _answer(self, asked: Asked, headers: Sequence[Header], send: Send) -> None:
        proxy = self.proxy
        with proxy.history.record(asked.path, asked.question, asked.given.streamed) as query:
            async with proxy.places.one():
                fitted = await self._fitted(asked, headers, query)
                content = fitted.asked.content(fitted.hits, proxy.room.style)
                async with proxy.upstream.answer("POST", asked.path, headers, content) as answer:
                    broken = await relay(answer, send, _added(query), query.first_byte)
                    # Before anything is awaited: a client that has its whole answer may leave now, and did not hang up.
                    query.status, query.error = answer.status, broken.message if broken else None

    async def _fitted(self, asked: Asked, headers: Sequence[Header], query: Query) -> Fitted:
        proxy, found = self.proxy, Retrieval()
        if asked.given.lore.wanted and proxy.index:
            # In a thread: embedding takes all of a core for milliseconds, in which no stream would move.
            found = await asyncio.to_thread(proxy.find, asked)
            query.search_text, query.retrieval_ms = asked.search_text, round(found.milliseconds, 1)
            query.dropped, query.notes = found.dropped, found.notes
        fitted = await fit(proxy.counter, asked, found.hits, proxy.room, headers)
        query.hits, query.tokens, query.left_out = fitted.hits, fitted.tokens, fitted.asked.left_out
        query.dropped = [*found.dropped, *fitted.dropped]
        return fitted


def _added(query: Query) -> list[Header]:
    headers = [(b"x-lorewright-passages", passages_header(query.hits)), (REQUEST.encode(), query.id.encode())]
    if query.left_out:
        headers.append((b"x-lorewright-dropped-messages", b"%d" % query.left_out))
    return headers


def passages_header(hits: Sequence[Hit]) -> bytes:
    """Compact ASCII JSON of where the passages come from, best first; the last are left out where it would grow too long."""
    rows = [{"source": hit.passage.source, "heading": hit.passage.heading, "distance": round(hit.distance, 4)} for hit in hits]
    while True:
        text = json.dumps(rows, separators=(",", ":"))
        if len(text) <= LONGEST_HEADER:
            return text.encode("ascii")
        rows.pop()
