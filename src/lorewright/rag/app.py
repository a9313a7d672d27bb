"""The proxy's web application: OpenAI's API in front, the model server behind, and what it did in /stats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lorewright.errors import LorewrightError
from lorewright.rag.api_error import ApiError
from lorewright.rag.completion import PATH, Completion, Proxy
from lorewright.rag.embed import TextEmbedder, load_embedder
from lorewright.rag.hangup import while_connected
from lorewright.rag.page import add_page
from lorewright.rag.retrieve import require_same_model
from lorewright.rag.settings import ProxySettings
from lorewright.rag.store import Index, open_index
from lorewright.rag.upstream import connect, relay, request_headers


def create_app(settings: ProxySettings, *, embedder: TextEmbedder | None = None, index: Index | None = None) -> FastAPI:
    """The app, with index and embedder loaded: those given, else those that the settings name.

    Raises LorewrightError when they are missing or do not belong together.
    """
    opened = open_index(settings.index) if settings.index and not index else None
    index = index or opened
    if index and not embedder:
        embedder = load_embedder(settings.embedding_model)
    if index and embedder:
        require_same_model(index, embedder)
        embedder.query("warm up")  # the first query is ten times slower: not the user's
    proxy = Proxy(settings, connect(settings.upstream), index, embedder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await proxy.upstream.client.aclose()
        if opened:
            opened.close()

    # No documentation pages: theirs fetch scripts from elsewhere.
    app = FastAPI(title="lorewright", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.append(Route(PATH, Completion(proxy), methods=["POST"]))
    app.router.routes.append(Route("/v1/models", Models(proxy), methods=["GET"]))
    _add_views(app, proxy)
    add_page(app)
    _add_errors(app)
    return app


class Models:
    """GET /v1/models, forwarded."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(receive, self._answer(Request(scope), send))

    async def _answer(self, request: Request, send: Send) -> None:
        async with self.proxy.upstream.answer("GET", "/v1/models", request_headers(request.headers.raw)) as answer:
            await relay(answer, send)


def _add_views(app: FastAPI, proxy: Proxy) -> None:
    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "upstream": await proxy.upstream.alive()}

    @app.get("/stats")
    async def stats() -> dict[str, Any]:
        return {
            "recipe": proxy.settings.recipe,
            "total_queries": proxy.history.total,
            "chunks_available": proxy.index.count if proxy.index else 0,
            "collection": dict(proxy.index.stamp) if proxy.index else None,
            "recent_queries": [query.shown() for query in proxy.history.recent],
        }


def _add_errors(app: FastAPI) -> None:
    """Every error in OpenAI's shape. A bug is answered, and still goes to the log with its traceback."""

    @app.exception_handler(ApiError)
    async def known(request: Request, problem: ApiError) -> Response:
        return problem.response()

    @app.exception_handler(LorewrightError)
    async def ours(request: Request, problem: LorewrightError) -> Response:
        return ApiError(500, str(problem), "server_error").response()

    @app.exception_handler(HTTPException)
    async def unrouted(request: Request, problem: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {problem.detail}; this proxy has POST {PATH}, GET /v1/models, /health and /stats"
        return ApiError(problem.status_code, message).response()

    @app.exception_handler(Exception)
    async def bug(request: Request, problem: Exception) -> Response:
        return ApiError(500, "the proxy failed; its log says where", "server_error").response()
