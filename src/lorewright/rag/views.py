"""What the proxy says of itself: alive, ready, counts, and the lore that an answer was given."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lorewright.rag.api_error import ApiError
from lorewright.rag.embed import TextEmbedder
from lorewright.rag.history import KEPT
from lorewright.rag.lore import Lore
from lorewright.rag.metrics import CONTENT_TYPE, exposition
from lorewright.rag.openapi import description
from lorewright.rag.proxy import Proxy
from lorewright.rag.retrieve import Search, retrieve

PATIENCE = 5.0  # seconds for the index to answer


def add_views(app: FastAPI, proxy: Proxy) -> None:
    described = description(proxy.settings.limits, proxy.settings.extra_fields)

    async def health(request: Request) -> Response:
        if proxy.lore and request.query_params.get("lore") == "newest" and not proxy.lore.newest:
            why = f"is not taken up: {proxy.lore.refused}" if proxy.lore.refused else "is about to be taken up"
            return JSONResponse({"status": f"a new index of the lore {why}"}, 503)
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        upstream, index = await asyncio.gather(proxy.upstream.trouble(), index_trouble(proxy))
        is_ready = not (upstream or index)
        said = {"ready": is_ready, "model_server": upstream or "ok", "index": index or ("ok" if proxy.index else "none")}
        return JSONResponse(said, 200 if is_ready else 503)

    async def stats(request: Request) -> Response:
        return JSONResponse(shown_stats(proxy))

    async def last(request: Request) -> Response:
        number = request.query_params.get("request", "")
        query = proxy.history.found(number)
        if query is None:
            raise ApiError(404, f"no such request among the last {KEPT}", "not_found_error", param="request")
        return JSONResponse(query.lore())

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(exposition(proxy), media_type=CONTENT_TYPE)

    async def openapi(request: Request) -> Response:
        return JSONResponse(described)

    routes = {"/health": health, "/ready": ready, "/stats": stats, "/v1/lore/last": last, "/metrics": metrics, "/openapi.json": openapi}
    for path, view in routes.items():
        app.router.routes.append(Route(path, view, methods=["GET"]))


async def index_trouble(proxy: Proxy) -> str | None:
    """Why the lore cannot be searched, tried with a real query; None if it can, or if there is none."""
    if not (proxy.lore and proxy.embedder):
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.to_thread(_try, proxy.lore, proxy.embedder)
    except TimeoutError:
        return f"the lore index does not answer within {PATIENCE:g} s"
    except Exception as problem:  # noqa: BLE001
        return f"the lore index cannot be searched: {type(problem).__name__}"
    return None


def _try(lore: Lore, embedder: TextEmbedder) -> None:
    with lore.using() as index:
        retrieve(index, embedder, "ready", Search(top_k=1))


def shown_stats(proxy: Proxy) -> dict[str, Any]:
    return {
        "recipe": proxy.settings.recipe,
        "total_queries": proxy.history.total,
        "chunks_available": proxy.index.count if proxy.index else 0,
        "collection": dict(proxy.index.stamp) if proxy.index else None,
        "index": proxy.lore.name if proxy.lore else None,
        "index_refused": (proxy.lore.refused or None) if proxy.lore else None,
        "active": proxy.places.active,
        "waiting": proxy.places.waiting,
        "latency_ms": proxy.history.latency(),
        "recent_queries": [query.shown() for query in proxy.history.recent],
    }
