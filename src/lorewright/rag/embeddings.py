"""POST /v1/embeddings: the served model's where it embeds, else the lore's own embedder under its own name."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiohttp import ClientResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from lorewright.rag.api_error import ApiError
from lorewright.rag.body import Body, Rules, read_body, receive_body
from lorewright.rag.embed import Vectors
from lorewright.rag.hangup import while_connected
from lorewright.rag.history import Query
from lorewright.rag.proxy import LoreEmbedder, Proxy
from lorewright.rag.relay import relay
from lorewright.rag.upstream import FAILURES, Header, Upstream, api_error, request_headers
from lorewright.rag.words import count_words

PATH = "/v1/embeddings"
BATCH = 8  # texts between two chances for a chat's own query: some 0.1 s on two cores
MOST = 2048  # texts, as at OpenAI


@dataclass(frozen=True)
class Embeddings:
    proxy: Proxy
    rules: Rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = read_body(await receive_body(request, self.rules.limits), self.rules)
        except ClientDisconnect:
            return
        await while_connected(receive, self._answer(body, request_headers(request.headers.raw), scope, receive, send))

    async def _answer(self, body: Body, headers: Sequence[Header], scope: Scope, receive: Receive, send: Send) -> None:
        proxy = self.proxy
        with proxy.history.record(PATH, None, streamed=False) as query:
            async with proxy.places.one():
                if not is_own(body.model, proxy.embedder) and await self._forwarded(body, headers, send, query):
                    return
                answer = await embed(proxy.embedder, body.values)
            query.first_byte()
            query.status = 200
            await JSONResponse(answer)(scope, receive, send)

    async def _forwarded(self, body: Body, headers: Sequence[Header], send: Send, query: Query) -> bool:
        """False where the model server has no such route, as when its model writes; and we can answer instead."""
        content = body.written({})
        async with self.proxy.upstream.answer("POST", PATH, headers, content) as answer:
            unrouted = answer.status in (404, 405, 501) and b'"error"' not in await _whole(answer, self.proxy.upstream)
            if unrouted and self.proxy.embedder:
                return False
            await relay(answer, send, (), query.first_byte)
            query.status = answer.status
            return True


async def _whole(answer: ClientResponse, upstream: Upstream) -> bytes:
    """Raises ApiError 502 or 504 when it breaks off."""
    try:
        return await answer.read()
    except FAILURES as problem:
        raise api_error(problem, upstream.base) from None


def is_own(model: Any, embedder: LoreEmbedder | None) -> bool:
    return embedder is not None and model == embedder.name


async def embed(embedder: LoreEmbedder | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's answer. usage counts words, since the embedder's tokens are nobody's bill. Raises ApiError 400 and 404."""
    if embedder is None:
        raise ApiError(404, "the served model does not embed, and this proxy has no lore embedder", "not_found_error")
    texts = _texts(values.get("input"))
    if values.get("encoding_format") not in (None, "float", "base64"):
        raise ApiError(400, "encoding_format must be float or base64", param="encoding_format")
    if values.get("dimensions") not in (None, embedder.dimension):
        raise ApiError(400, f"dimensions: {embedder.name} has {embedder.dimension}", param="dimensions")
    rows: list[Vectors] = []
    for start in range(0, len(texts), BATCH):
        rows.extend(await asyncio.to_thread(embedder.passages, texts[start : start + BATCH]))
    words = sum(count_words(text) for text in texts)
    data = [{"object": "embedding", "index": number, "embedding": _written(row, values)} for number, row in enumerate(rows)]
    return {"object": "list", "data": data, "model": embedder.name, "usage": {"prompt_tokens": words, "total_tokens": words}}


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 0 < len(texts) <= MOST or not all(isinstance(text, str) and text for text in texts):
        raise ApiError(
            400, f"input must be a text or a list of 1 to {MOST} texts; tokens are only for a served model that embeds", param="input"
        )
    return [text.encode("utf-8", "replace").decode() for text in texts]


def _written(row: Vectors, values: Mapping[str, Any]) -> str | list[float]:
    if values.get("encoding_format") == "base64":
        return base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode()
    return [float(number) for number in row]
