"""The proxy's web application: OpenAI's API in front, the model server behind, and what it did in /stats."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lorewright.errors import LorewrightError
from lorewright.rag import fields
from lorewright.rag.access import Guard
from lorewright.rag.api_error import ApiError
from lorewright.rag.body import Rules
from lorewright.rag.chat_request import ChatRequest, read_chat
from lorewright.rag.completion import Completion
from lorewright.rag.embed import load_embedder
from lorewright.rag.embeddings import PATH as EMBEDDINGS
from lorewright.rag.embeddings import Embeddings
from lorewright.rag.hangup import while_connected
from lorewright.rag.keys import api_keys, require_key
from lorewright.rag.lore import Lore, follow, open_lore
from lorewright.rag.openapi import description
from lorewright.rag.page import add_page
from lorewright.rag.proxy import LoreEmbedder, Proxy, make_proxy
from lorewright.rag.relay import relay
from lorewright.rag.rerank import load_reranker
from lorewright.rag.retrieve import require_same_model, retrieve
from lorewright.rag.settings import ProxySettings
from lorewright.rag.store import Index
from lorewright.rag.text_request import TextRequest, read_text
from lorewright.rag.upstream import request_headers
from lorewright.rag.views import add_views


def create_app(settings: ProxySettings, *, embedder: LoreEmbedder | None = None, index: Index | None = None) -> FastAPI:
    """The app, with index and embedder loaded: those given, else those that the settings name.

    Raises LorewrightError when they are missing or do not belong together, or when the address is open to others without a key.
    """
    keys = api_keys()
    require_key(settings.host, keys)
    lore = Lore(index) if index else open_lore(settings.index) if settings.index else None
    if lore and not embedder:
        embedder = load_embedder(settings.embedding_model, "auto")
    if lore and embedder:
        require_same_model(lore.index, embedder)
        retrieve(lore.index, embedder, "warm up", replace(settings.search, rerank=None))  # the first takes a second: not the user's
        if settings.search.rerank:
            load_reranker(settings.search.rerank.model)
    proxy = make_proxy(settings, lore, embedder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _following(proxy):
            yield
        await proxy.upstream.close()
        if lore and not index:
            lore.close()

    # No documentation pages: theirs fetch scripts from elsewhere. The description is our own. Nothing is measured for others.
    silent: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
    app = FastAPI(title="lorewright", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, telemetry=silent)
    _add_routes(app, proxy)
    add_views(app, proxy)
    add_page(app)
    _add_errors(app)
    _add_guards(app, settings, keys)
    return app


@asynccontextmanager
async def _following(proxy: Proxy) -> AsyncIterator[None]:
    """A new index is taken up as long as the block runs."""
    if not (proxy.lore and proxy.embedder):
        yield
        return
    task = asyncio.create_task(follow(proxy.lore, proxy.embedder))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Models:
    """GET /v1/models, forwarded."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(receive, self._answer(Request(scope), send))

    async def _answer(self, request: Request, send: Send) -> None:
        async with self.proxy.upstream.answer("GET", "/v1/models", request_headers(request.headers.raw)) as answer:
            await relay(answer, send)


def _add_routes(app: FastAPI, proxy: Proxy) -> None:
    limits, extra = proxy.settings.limits, proxy.settings.extra_fields
    chat = Completion(proxy, read_chat, Rules(fields.CHAT_FIELDS, limits, extra))
    text = Completion(proxy, read_text, Rules(fields.COMPLETION_FIELDS, limits, extra))
    embeddings = Embeddings(proxy, Rules(fields.EMBEDDING_FIELDS, limits, extra))
    for path, endpoint in ((ChatRequest.path, chat), (TextRequest.path, text), (EMBEDDINGS, embeddings)):
        app.router.routes.append(Route(path, endpoint, methods=["POST"]))
    app.router.routes.append(Route("/v1/models", Models(proxy), methods=["GET"]))


def _add_guards(app: FastAPI, settings: ProxySettings, keys: tuple[str, ...]) -> None:
    vllm_key = os.environ.get("VLLM_API_KEY", "")
    hosts, origins = settings.allowed_hosts, settings.cors_origins
    app.add_middleware(Guard, host=settings.host, allowed_hosts=hosts, cors_origins=origins, keys=keys, vllm_key=vllm_key)
    if origins:  # outermost, so that a page can read a refusal too
        shown = ["x-lorewright-passages", "x-lorewright-request", "x-lorewright-dropped-messages", "retry-after"]
        methods = ["GET", "POST"]
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=methods, allow_headers=["*"], expose_headers=shown)


def _add_errors(app: FastAPI) -> None:
    """Every error in OpenAI's shape. A bug is answered, and still goes to the log with its traceback."""
    routes = ", ".join(f"{method.upper()} {path}" for path, methods in description()["paths"].items() for method in methods)

    @app.exception_handler(ApiError)
    async def known(request: Request, problem: ApiError) -> Response:
        return problem.response()

    @app.exception_handler(LorewrightError)
    async def ours(request: Request, problem: LorewrightError) -> Response:
        return ApiError(500, str(problem), "server_error").response()

    @app.exception_handler(HTTPException)
    async def unrouted(request: Request, problem: HTTPException) -> Response:
        path = request.url.path[:200]
        return ApiError(problem.status_code, f"{request.method} {path}: {problem.detail}; this proxy has {routes}").response()

    @app.exception_handler(Exception)
    async def bug(request: Request, problem: Exception) -> Response:
        return ApiError(500, "the proxy failed; its log says where", "server_error").response()
