"""The client: whole answers, pieces, and what it says when a server misbehaves."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from lorewright import chat
from lorewright.errors import LorewrightError
from tests.conftest import free_port

REPLY = {"choices": [{"message": {"content": "Ticks."}, "finish_reason": "stop"}], "usage": {"completion_tokens": 2}}


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers each POST with the next (status, body) of its script."""

    script: list[tuple[int, str]] = []
    seen: list[dict[str, object]] = []

    def do_POST(self) -> None:
        type(self).seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        status, body = type(self).script.pop(0)
        self.send_response(status)
        self.send_header("x-lorewright-passages", '[{"source": "a.md", "heading": "", "distance": 0.25}]')
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Scripted.script, Scripted.seen = [], []
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: _none())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted) as web:
        threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}/v1"
        web.shutdown()


async def _none() -> None:
    return None


def test_whole_answer_with_its_passages(server: str) -> None:
    Scripted.script = [(200, json.dumps(REPLY))]
    answer = asyncio.run(chat.ask(server, "m", "Why?", seed=3))
    assert (answer.text, answer.finish, answer.passages[0]["source"]) == ("Ticks.", "stop", "a.md")
    assert Scripted.seen == [{"model": "m", "messages": [{"role": "user", "content": "Why?"}], "seed": 3}]


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(server: str) -> None:
    Scripted.script = [(503, ""), (429, ""), (200, json.dumps(REPLY))]
    assert asyncio.run(chat.ask(server, "m", "Why?")).text == "Ticks."
    Scripted.script = [(400, '{"error": {"message": "too\\nlong"}}'), (200, "never")]
    with pytest.raises(LorewrightError, match="answered 400: too long"):
        asyncio.run(chat.ask(server, "m", "Why?"))
    assert len(Scripted.script) == 1


def test_pieces_come_after_the_passages(server: str) -> None:
    events = [
        {"choices": [{"delta": {"role": "assistant"}}]},
        {"choices": [{"delta": {"content": "Ti"}}]},
        {"choices": [{"delta": {"content": "cks"}}]},
    ]
    Scripted.script = [(200, "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n")]

    async def collect() -> list[object]:
        return [piece async for piece in chat.stream(server, "m", "Why?")]

    pieces = asyncio.run(collect())
    assert pieces[0] == [{"source": "a.md", "heading": "", "distance": 0.25}]
    assert "".join(map(str, pieces[1:])) == "Ticks"


def test_a_stream_that_breaks_off_is_told(server: str) -> None:
    Scripted.script = [(200, 'data: {"error": {"message": "upstream died"}}\n\n')]

    async def drain() -> None:
        async for _ in chat.stream(server, "m", "Why?"):
            pass

    with pytest.raises(LorewrightError, match="the answer broke off: upstream died"):
        asyncio.run(drain())


def test_nothing_there() -> None:
    with pytest.raises(LorewrightError, match=r"nothing answers there; start it with ./lorewright rag"):
        asyncio.run(_first(f"http://127.0.0.1:{free_port()}/v1"))


async def _first(url: str) -> None:
    async for _ in chat.stream(url, "m", "Why?"):
        return
