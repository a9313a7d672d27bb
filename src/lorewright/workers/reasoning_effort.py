"""A layer in front of vLLM's server: gpt-oss's reasoning effort for requests that name none.

vLLM writes gpt-oss's prompt by itself and takes the effort from the request alone, so no argument of the server can set a default.
Loaded by vLLM's own `--middleware reasoning_effort.DefaultEffort`; LOREWRIGHT_REASONING_EFFORT holds the word.
"""

from __future__ import annotations

import json
import os
from typing import Any

PATH = "/v1/chat/completions"


class DefaultEffort:
    """Plain ASGI: it waits for the whole body of a chat request and passes everything else through untouched."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.effort = os.environ["LOREWRIGHT_REASONING_EFFORT"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != PATH:
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client has gone
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        body = with_effort(body, self.effort)
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope = dict(scope) | {"headers": [*headers, (b"content-length", str(len(body)).encode())]}
        told = False

        async def again() -> Any:
            nonlocal told
            if told:
                return await receive()  # from here on only the client's leaving
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


def with_effort(body: bytes, effort: str) -> bytes:
    """The body with the effort in it; unchanged when it names one, or is no request that we understand."""
    try:
        request = json.loads(body)
    except ValueError:
        return body
    if not isinstance(request, dict) or request.get("reasoning_effort") is not None:
        return body
    return json.dumps(request | {"reasoning_effort": effort}).encode()
