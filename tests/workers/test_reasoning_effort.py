"""The layer before vLLM that fills in gpt-oss's effort, driven as an ASGI server drives it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lorewright.workers.reasoning_effort import PATH, DefaultEffort


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOREWRIGHT_REASONING_EFFORT", "high")

    def call(*pieces: bytes, path: str = PATH, method: str = "POST", gone: bool = False) -> Any:
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message["more_body"]
            after = (await receive())["type"]
            [length] = [value for name, value in scope["headers"] if name == b"content-length"]
            seen.append((body, length, after))

        messages = [{"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1} for number, piece in enumerate(pieces)]
        messages = [*messages[: 1 if gone else None], {"type": "http.disconnect"}]

        async def receive() -> Any:
            return messages.pop(0)

        scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-length", b"1"), (b"x", b"y")]}
        asyncio.run(DefaultEffort(app)(scope, receive, None))
        return seen

    return call


@pytest.mark.req("F6")
def test_a_request_without_an_effort_gets_the_recipes(layer: Any) -> None:
    [(body, length, after)] = layer(b'{"model": "m", "mess', b'ages": []}')
    assert json.loads(body) == {"model": "m", "messages": [], "reasoning_effort": "high"}
    assert (int(length), after) == (len(body), "http.disconnect"), "the client's leaving is still seen"


@pytest.mark.parametrize("body", [b'{"reasoning_effort": "low"}', b"{broken", b"[1]", b""])
def test_what_names_one_or_is_no_request_stays_as_it_is(layer: Any, body: bytes) -> None:
    assert layer(body)[0][0] == body


def test_other_paths_are_not_touched(layer: Any) -> None:
    assert layer(b'{"a": 1}', path="/v1/completions")[0][:2] == (b'{"a": 1}', b"1")


def test_a_client_that_leaves_early_is_not_passed_on(layer: Any) -> None:
    assert layer(b'{"a"', b": 1}", gone=True) == []
