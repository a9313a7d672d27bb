from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import aiohttp
import httpx
import pytest
from starlette.types import Message

from lorewright.rag.api_error import ApiError
from lorewright.rag.relay import relay, whole_events
from lorewright.rag.upstream import Upstream, api_error
from lorewright.recipe.model import Timeouts

from .conftest import JSON_ANSWER
from .fakes import WordEmbedder, running_proxy
from .upstream_server import Reply, UpstreamServer

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
PROMPT = {"model": "m", "prompt": "Which arm is cybernetic?"}
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Which arm is cybernetic?"}]}
EVENTS = 'data: {"choices":[{"delta":{"content":"hé"}}]}\n\n: ping\r\n\r\ndata: {"x": 1}\n\ndata: [DONE]\n\n'.encode()
SSE = "text/event-stream; charset=utf-8"


@pytest.mark.req("F8")
@pytest.mark.parametrize(("path", "request_body"), [(CHAT, REQUEST), (TEXT, PROMPT)])
def test_a_stream_is_passed_on_byte_for_byte_however_it_is_split(
    upstream: UpstreamServer, proxy: httpx.Client, path: str, request_body: dict[str, object]
) -> None:
    single = [EVENTS[at : at + 1] for at in range(len(EVENTS))]
    for chunks in [single, *([EVENTS[:cut], EVENTS[cut:]] for cut in range(len(EVENTS) + 1))]:
        upstream.replies[path] = Reply(chunks, content_type=SSE, pause=0.0005)
        answer = proxy.post(path, json=request_body | {"stream": True})
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, SSE, EVENTS), chunks


def test_a_stream_is_passed_on_as_it_comes(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[CHAT] = Reply((b"data: 1\n\n",), content_type=SSE, then="hang")
    with proxy.stream("POST", CHAT, json=REQUEST | {"stream": True}) as answer:
        assert next(answer.iter_raw()) == b"data: 1\n\n"


def test_the_last_event_is_passed_on_even_without_its_empty_line(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[CHAT] = Reply((b"data: 1\n\nda", b"ta: 2"), content_type=SSE)
    assert proxy.post(CHAT, json=REQUEST).content == b"data: 1\n\ndata: 2"


@pytest.mark.req("F8")
@pytest.mark.parametrize("length", [True, False])
def test_an_answer_is_passed_on_byte_for_byte(upstream: UpstreamServer, proxy: httpx.Client, length: bool) -> None:
    upstream.replies[CHAT] = Reply((JSON_ANSWER[:9], JSON_ANSWER[9:]), length=length)
    answer = proxy.post(CHAT, json=REQUEST)
    assert (answer.content, answer.headers["x-request-id"]) == (JSON_ANSWER, "abc")
    assert int(answer.headers["content-length"]) == len(JSON_ANSWER)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_upstreams_errors_are_passed_on_as_they_are(upstream: UpstreamServer, proxy: httpx.Client, status: int) -> None:
    body = b'{"error":  {"message": "its own words"}}'
    upstream.replies[CHAT] = Reply((body,), status=status, length=True, content_type="application/json; x=1")
    answer = proxy.post(CHAT, json=REQUEST | {"stream": True})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (status, body, "application/json; x=1")


def test_end_to_end_headers_go_upstream_and_no_others(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    headers = {"authorization": "Bearer k", "x-mine": "1", "connection": "x-hop", "x-hop": "1", "content-type": "text/plain"}
    proxy.post(CHAT, content=json.dumps(REQUEST), headers=headers)
    got = upstream.asked[-1].headers
    assert (got["authorization"], got["x-mine"], got["content-type"]) == ("Bearer k", "1", "application/json")
    assert got["accept-encoding"] == "identity"
    assert got["host"] == upstream.address.removeprefix("http://")
    assert "x-hop" not in got


def test_models_are_forwarded(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies["/v1/models"] = Reply((b'{"data": []}',), length=True)
    assert proxy.get("/v1/models", headers={"authorization": "Bearer k"}).content == b'{"data": []}'
    assert upstream.asked[-1].headers["authorization"] == "Bearer k"


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address at which nobody listens, and nobody else will while it is used."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.req("F8")
def test_a_model_server_that_is_down_is_a_502_in_openais_shape(closed_port: str) -> None:
    with running_proxy(closed_port) as port:
        for answer in (httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST), httpx.get(f"http://127.0.0.1:{port}/v1/models")):
            assert answer.status_code == 502
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert "cannot be reached" in error["message"]
            assert closed_port in error["message"]


@pytest.mark.req("F8")
def test_what_came_before_the_connection_broke_is_passed_on() -> None:
    """A client that reads slowly: the model server is gone before we could hand on what it said."""
    events = b"".join(b"data: %d\n\n" % number for number in range(50))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    sent: list[bytes] = []

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))
        await asyncio.sleep(0.1)

    async def converse(address: str) -> None:
        server = Upstream(address, Timeouts())
        async with server.answer("POST", CHAT, [], b"{}") as answer:
            await relay(answer, send)
        await server.close()

    with raw_server(head + b"%x\r\n%s\r\n5\r\ndata:" % (len(events), events)) as address:
        asyncio.run(converse(address))
    got = b"".join(sent)
    assert got.startswith(events)
    assert json.loads(got.removeprefix(events + b"data: "))["error"]["type"] == "upstream_error"


def test_a_connection_is_used_again_and_one_that_was_closed_meanwhile_is_replaced() -> None:
    """The server answers once on each connection, and closes it just as the next request comes."""
    asked: list[int] = []

    def serve(client: socket.socket, number: int) -> None:
        for turn in range(2):
            if not client.recv(65536):
                return
            asked.append(number)
            if turn == 0:
                client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with socket_server(serve) as address, running_proxy(address) as port:
        for _ in range(3):
            assert httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST).content == b"{}"
    assert set(asked) == {0, 1, 2} and len(asked) == 5, "used again once, and replaced when it was closed meanwhile"


def test_a_cookie_is_its_clients_and_nobody_elses() -> None:
    asked: list[bytes] = []

    def serve(client: socket.socket, number: int) -> None:
        asked.append(client.recv(65536).lower())
        client.sendall(b"HTTP/1.1 200 OK\r\nset-cookie: who=me\r\ncontent-length: 2\r\n\r\n{}")

    with socket_server(serve) as address, running_proxy(address.replace("127.0.0.1", "localhost")) as port:
        url = f"http://127.0.0.1:{port}{CHAT}"
        assert httpx.post(url, json=REQUEST).headers["set-cookie"] == "who=me"
        httpx.post(url, json=REQUEST)
        httpx.post(url, json=REQUEST, headers={"cookie": "mine=1"})
    assert b"cookie" not in asked[1]
    assert b"cookie: mine=1" in asked[2]


def test_a_new_connection_that_is_closed_is_not_tried_again() -> None:
    """Whatever ended the model server, the same request must not end it twice."""
    asked: list[int] = []
    with socket_server(lambda client, number: asked.append(len(client.recv(65536)))) as address, running_proxy(address) as port:
        assert httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST).status_code == 502
    assert len(asked) == 1


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff" * 40 + b"\r\n\r\n", b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}"]
)
def test_garbage_is_a_502(garbage: bytes) -> None:
    with raw_server(garbage) as address, running_proxy(address) as port:
        answer = httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
        assert (answer.status_code, answer.json()["error"]["type"]) == (502, "upstream_error")


def raw_server(answer: bytes) -> AbstractContextManager[str]:
    """A server that says these bytes to whoever comes, whatever is asked."""

    def serve(client: socket.socket, number: int) -> None:
        client.recv(65536)
        client.sendall(answer)

    return socket_server(serve)


@contextmanager
def socket_server(serve: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """serve: gets each connection and its number, and ends it by returning."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def accept() -> None:
            for number in itertools.count():
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    serve(client, number)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_a_body_that_breaks_off_is_a_502(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[CHAT] = Reply((b'{"half":',), then="die")
    answer = proxy.post(CHAT, json=REQUEST)
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "upstream_error")
    upstream.replies[CHAT] = Reply((), then="die")
    assert proxy.post(CHAT, json=REQUEST).status_code == 502


@pytest.mark.req("F8")
@pytest.mark.parametrize("half", [b"", b'data: {"hal'])
def test_a_stream_that_dies_ends_with_an_error_event(
    upstream: UpstreamServer, proxy: httpx.Client, half: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.replies[CHAT] = Reply((b"data: 1\n\n", half), content_type=SSE, then="die")
    answer = proxy.post(CHAT, json=REQUEST | {"stream": True})
    first, last, end = answer.content.split(b"\n\n")
    assert (first, end) == (b"data: 1", b"")
    assert json.loads(last.removeprefix(b"data: "))["error"]["type"] == "upstream_error"
    assert [(record.levelname, record.exc_info) for record in caplog.records if record.name == "lorewright.rag"] == [("WARNING", None)]
    query = proxy.get("/stats").json()["recent_queries"][0]
    assert query["status"] == 200
    assert "broke off" in query["error"]


def test_a_server_that_never_answers_is_a_504(upstream: UpstreamServer) -> None:
    async def ask() -> int:
        upstream.replies["/v1/models"] = Reply(before=True)
        server = Upstream(upstream.address, Timeouts(answer=0.05))
        try:
            async with server.answer("GET", "/v1/models", []):
                return 200
        except ApiError as problem:
            return problem.status
        finally:
            await server.close()

    assert asyncio.run(ask()) == 504


def test_each_failure_has_its_status() -> None:
    statuses = {
        aiohttp.InvalidURL("x"): 502,
        aiohttp.ServerDisconnectedError(): 502,
        aiohttp.ClientPayloadError("x"): 502,
        aiohttp.ConnectionTimeoutError("x"): 504,
        aiohttp.SocketTimeoutError(""): 504,
    }
    for problem, status in statuses.items():
        assert api_error(problem, "http://u").status == status


def test_whole_events() -> None:
    assert whole_events(b"a\n\nb\r\n\r\nc") == (b"a\n\nb\r\n\r\n", b"c")
    assert whole_events(b"a\n") == (b"", b"a\n")
    assert whole_events(b"a\n\n") == (b"a\n\n", b"")
    endless = b"a" * 1_000_001
    assert whole_events(endless) == (endless, b"")


def test_no_answer_is_kept_from_a_proxy_without_lore(upstream: UpstreamServer) -> None:
    with running_proxy(upstream.address, None, WordEmbedder()) as port:
        sent = b'{ "messages":[{"role":"user","content":"x"}], "model":"m"}'
        answer = httpx.post(f"http://127.0.0.1:{port}{CHAT}", content=sent)
        assert (answer.content, answer.headers["x-lorewright-passages"]) == (JSON_ANSWER, "[]")
        assert upstream.asked[-1].body == sent
