"""What the desk talks to, scripted: the page itself is real, the answers are told in advance."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from lorewright.rag.page import add_page

from .fakes import wait_until

STATS = {"recipe": "starter", "total_queries": 0, "chunks_available": 118, "recent_queries": []}
MODELS = {"object": "list", "data": [{"id": "starter"}, {"id": "late-style", "parent": "starter"}]}


def said(words: str, ended: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": words}, "finish_reason": ended}]}).encode() + b"\n\n"


DONE = said("", "stop") + b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Answer:
    """chunks: written one by one. hang: nothing more comes after them; die: the connection breaks. refused: an error in place of it all."""

    chunks: Sequence[bytes] = ()
    hang: bool = False
    die: bool = False
    pause: float = 0.0
    refused: Response | None = None


@dataclass
class ScriptedProxy:
    """answers: used from the first on, the last again and again. lore: what /v1/lore/last says. key: asked for where it is set."""

    answers: list[Answer] = field(default_factory=list)
    lore: dict[str, Any] = field(default_factory=lambda: {"query": "", "passages": [], "dropped": []})
    key: str = ""
    stats: dict[str, Any] = field(default_factory=lambda: dict(STATS))
    models: Any = field(default_factory=lambda: MODELS)
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: int = 0

    async def _stream(self, answer: Answer) -> AsyncIterator[bytes]:
        try:
            for chunk in answer.chunks:
                yield chunk
                await asyncio.sleep(answer.pause)
            if answer.hang:
                await asyncio.Event().wait()
            if answer.die:
                raise ConnectionError
        except asyncio.CancelledError:
            self.left += 1
            raise

    def app(self) -> FastAPI:
        async def keys(request: Request) -> None:
            if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
                raise PermissionError

        app = FastAPI(openapi_url=None, dependencies=[Depends(keys)])  # the page itself is no part of this

        @app.exception_handler(PermissionError)
        async def refused(request: Request, problem: Exception) -> Response:
            return JSONResponse({"error": {"message": "an API key is needed", "type": "authentication_error"}}, 401)

        @app.get("/v1/models")
        async def models() -> Response:
            return self.models if isinstance(self.models, Response) else JSONResponse(self.models)

        @app.get("/stats")
        async def stats() -> dict[str, Any]:
            return self.stats

        @app.get("/v1/lore/last")
        async def last(request: str) -> Response:
            return JSONResponse(self.lore) if request == f"r{len(self.asked)}" else Response(status_code=404)

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            self.asked.append(await request.json())
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer.refused:
                return answer.refused
            headers = {"x-lorewright-request": f"r{len(self.asked)}"}
            return StreamingResponse(self._stream(answer), headers=headers, media_type="text/event-stream")

        add_page(app)
        return app


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of an app under uvicorn, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False, log_level="critical", timeout_graceful_shutdown=1, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
