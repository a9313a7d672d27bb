"""A chat completion on its way through the proxy: read, retrieve, inject, forward."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from lorewright.rag.budget import fit
from lorewright.rag.chat_request import ChatRequest, read_chat
from lorewright.rag.embed import TextEmbedder
from lorewright.rag.hangup import while_connected
from lorewright.rag.history import History, Query
from lorewright.rag.inject import inject
from lorewright.rag.retrieve import Retrieval, query_text, retrieve, user_turns
from lorewright.rag.settings import ProxySettings
from lorewright.rag.store import Hit, Index
from lorewright.rag.upstream import Header, Upstream, relay, request_headers

PATH = "/v1/chat/completions"
LONGEST_HEADER = 4096  # bytes; servers and clients commonly refuse 8 KiB of headers


@dataclass(frozen=True)
class Proxy:
    """What answers requests. index and embedder: both, or neither, which forwards without lore."""

    settings: ProxySettings
    upstream: Upstream
    index: Index | None
    embedder: TextEmbedder | None
    history: History = field(default_factory=History)


@dataclass(frozen=True)
class Completion:
    """The ASGI endpoint. Raises ApiError, before anything is sent, for the app to answer with."""

    proxy: Proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            chat = read_chat(await request.body())
        except ClientDisconnect:
            return
        await while_connected(receive, self._answer(chat, request_headers(request.headers.raw), send))

    async def _answer(self, chat: ChatRequest, headers: Sequence[Header], send: Send) -> None:
        turns = user_turns(chat.messages)
        with self.proxy.history.record(turns[-1] if turns else "", chat.streamed) as query:
            await self._find(chat, headers, query)
            content = chat.with_messages(inject(chat.messages, query.hits))
            async with self.proxy.upstream.answer("POST", PATH, headers, content) as answer:
                broken = await relay(answer, send, [(b"x-lorewright-passages", passages_header(query.hits))])
                # Before anything is awaited: a client that has its whole answer may leave now, and did not hang up.
                query.status, query.error = answer.status_code, broken.message if broken else None

    async def _find(self, chat: ChatRequest, headers: Sequence[Header], query: Query) -> None:
        if not chat.lore:
            return
        # In a thread: embedding takes all of a core for milliseconds, in which no stream would move.
        found = await asyncio.to_thread(find, self.proxy, chat)
        query.retrieval_ms = round(found.milliseconds, 1)
        query.hits, without_room = await fit(self.proxy.upstream, chat, found.hits, headers)
        query.dropped = [*found.dropped, *without_room]


def find(proxy: Proxy, chat: ChatRequest) -> Retrieval:
    text = query_text(chat.messages)
    if not (proxy.index and proxy.embedder and text):
        return Retrieval()
    return retrieve(proxy.index, proxy.embedder, text, proxy.settings.search)


def passages_header(hits: Sequence[Hit]) -> bytes:
    """Compact ASCII JSON of where the passages come from, nearest first; the last are left out where it would grow too long."""
    rows = [{"source": hit.passage.source, "heading": hit.passage.heading, "distance": round(hit.distance, 4)} for hit in hits]
    while True:
        text = json.dumps(rows, separators=(",", ":"))
        if len(text) <= LONGEST_HEADER:
            return text.encode("ascii")
        rows.pop()
