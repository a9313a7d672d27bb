"""A client that hangs up stops the model server within a quarter of a second, whatever the proxy waits for.

Machines are shared and now and then asleep: so it is the median of three that counts, beyond what a connection without the proxy takes
to be seen closed in the same seconds.
"""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from lorewright.rag.store import Index

from .conftest import JSON_ANSWER
from .fakes import WordEmbedder, running_proxy, wait_until
from .test_upstream import CHAT, PROMPT, REQUEST, SSE, TEXT
from .upstream_server import Reply, UpstreamServer, running_upstream

LONGEST = 0.25  # seconds
EMBEDDINGS = "/v1/embeddings"
BODIES: dict[str, dict[str, Any]] = {CHAT: REQUEST, TEXT: PROMPT, EMBEDDINGS: {"model": "m", "input": "x"}}


TRIES = 3
Hangup = Callable[[], float]  # hangs up once; how many seconds it took to be seen


def assert_quick(hangup: Hangup, upstream: UpstreamServer) -> None:
    took, bare = zip(*((hangup(), bare_close(upstream)) for _ in range(TRIES)), strict=True)
    print(f"{[round(seconds * 1000, 1) for seconds in took]} ms, without the proxy {[round(seconds * 1000, 1) for seconds in bare]} ms")
    assert statistics.median(took) - statistics.median(bare) < LONGEST


def bare_close(upstream: UpstreamServer) -> float:
    """How long the model server takes to see that a client of its own has left."""
    replies, seen = dict(upstream.replies), len(upstream.left)
    upstream.replies["/bare"] = Reply(before=True)
    asked = len(upstream.asked)
    with socket.create_connection(("127.0.0.1", upstream.port)) as client:
        client.sendall(b"GET /bare HTTP/1.1\r\n\r\n")
        wait_until(lambda: len(upstream.asked) > asked)
        time.sleep(0.05)
    closed = time.monotonic()
    wait_until(lambda: len(upstream.left) > seen)
    upstream.replies = replies
    took = upstream.left[-1] - closed
    del upstream.asked[asked:], upstream.left[seen:]
    return took


@contextmanager
def asking(port: int, path: str = CHAT, **changes: Any) -> Iterator[socket.socket]:
    """A bare client: hanging up is closing its socket, nothing else."""
    body = json.dumps(BODIES[path] | changes).encode()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
        yield client


def read_until(client: socket.socket, wanted: bytes) -> None:
    client.settimeout(30)
    got = b""
    while wanted not in got:
        more = client.recv(4096)
        assert more, got
        got += more


def seconds_until(true: Callable[[], object]) -> float:
    started = time.monotonic()
    wait_until(true)
    return time.monotonic() - started


def last_status(port: int) -> int | None:
    status: int | None = httpx.get(f"http://127.0.0.1:{port}/stats").json()["recent_queries"][0]["status"]
    return status


@pytest.fixture
def upstream() -> Iterator[UpstreamServer]:
    """One of its own for each test, so that nobody else's connections are counted."""
    with running_upstream() as server:
        server.replies[CHAT] = Reply((JSON_ANSWER,), length=True)
        yield server


PHASES = {
    "headers, streamed": ("/v1/chat/completions", Reply(before=True), True),
    "headers, not streamed": ("/v1/chat/completions", Reply(before=True), False),
    "counting tokens": ("/tokenize", Reply(before=True), True),
    "in the body, not streamed": ("/v1/chat/completions", Reply((b"{",), then="hang"), False),
    "in the stream": ("/v1/chat/completions", Reply((b"data: 1\n\n",), content_type=SSE, then="hang"), True),
    "in half an event": ("/v1/chat/completions", Reply((b"data: 1",), content_type=SSE, then="hang"), True),
}


@pytest.mark.req("F8")
@pytest.mark.parametrize("phase", PHASES)
def test_hanging_up_closes_the_upstream_connection(upstream: UpstreamServer, index: Index, phase: str) -> None:
    path, reply, streamed = PHASES[phase]
    upstream.replies[path] = reply
    with running_proxy(upstream.address, index) as port:

        def hangup() -> float:
            upstream.asked.clear()
            upstream.left.clear()
            with asking(port, stream=streamed) as client:
                wait_until(lambda: any(asked.path == path for asked in upstream.asked))
                if phase == "in the stream":
                    read_until(client, b"data: 1")
                time.sleep(0.05)
                assert not upstream.left
            closed = time.monotonic()
            wait_until(lambda: upstream.left)
            wait_until(lambda: last_status(port) == 499)
            return upstream.left[0] - closed

        assert_quick(hangup, upstream)


@pytest.mark.req("F8")
@pytest.mark.parametrize("path", [TEXT, EMBEDDINGS])
@pytest.mark.parametrize("phase", ["headers", "body"])
def test_the_other_routes_are_left_as_fast(upstream: UpstreamServer, index: Index, path: str, phase: str) -> None:
    upstream.replies[path] = Reply(before=True) if phase == "headers" else Reply((b"{",), then="hang")
    with running_proxy(upstream.address, index) as port:

        def hangup() -> float:
            upstream.asked.clear()
            upstream.left.clear()
            with asking(port, path):
                wait_until(lambda: any(asked.path == path for asked in upstream.asked))
                time.sleep(0.05)
            closed = time.monotonic()
            wait_until(lambda: upstream.left)
            return upstream.left[0] - closed

        assert_quick(hangup, upstream)
        counted = f'lorewright_requests_total{{path="{path}",status="499"}} {TRIES}'
        wait_until(lambda: counted in httpx.get(f"http://127.0.0.1:{port}/metrics").text)


@pytest.mark.req("F8")
def test_hanging_up_in_the_queue_gives_up_the_turn(upstream: UpstreamServer, index: Index) -> None:
    upstream.replies[CHAT] = Reply((JSON_ANSWER,), length=True, wait=(release := threading.Event()))
    with running_proxy(upstream.address, index, max_active=1) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        with asking(port):
            wait_until(lambda: upstream.bodies())

            def hangup() -> float:
                with asking(port):
                    wait_until(lambda: proxy.get("/stats").json()["waiting"] == 1)
                took = seconds_until(lambda: proxy.get("/stats").json()["waiting"] == 0)
                assert last_status(port) == 499
                return took

            assert_quick(hangup, upstream)
            release.set()
            wait_until(lambda: proxy.get("/stats").json()["active"] == 0)
        assert len(upstream.bodies()) == 1, "who left is not asked for"
        assert proxy.post(CHAT, json=REQUEST).status_code == 200


@pytest.mark.req("F8")
def test_hanging_up_while_retrieving_never_reaches_upstream(upstream: UpstreamServer, index: Index) -> None:
    slow, entered, release = threading.Event(), threading.Event(), threading.Event()

    def gate() -> None:
        if slow.is_set():
            entered.set()
            release.wait(30)

    with running_proxy(upstream.address, index, WordEmbedder(gate)) as port:
        slow.set()

        def hangup() -> float:
            entered.clear()
            with asking(port, stream=True):
                assert entered.wait(30)
            return seconds_until(lambda: last_status(port) == 499)

        assert_quick(hangup, upstream)
        release.set()
        time.sleep(0.1)
        assert upstream.asked == []


def test_a_slow_retrieval_does_not_stall_a_stream(upstream: UpstreamServer, index: Index) -> None:
    """One client waits for its passages while another's stream goes on."""
    release = threading.Event()
    questions: list[int] = []

    def gate() -> None:
        questions.append(1)
        if len(questions) == 3:  # after warming up, and the first client's
            release.wait(30)

    upstream.replies[CHAT] = Reply((b"data: 1\n\n", b"data: 2\n\n"), content_type=SSE, pause=0.05)
    with running_proxy(upstream.address, index, WordEmbedder(gate)) as port, asking(port, stream=True) as first:
        wait_until(lambda: len(questions) == 2)
        with asking(port, stream=True):
            wait_until(lambda: len(questions) == 3)
            try:
                read_until(first, b"data: 2")  # fails when it does not come
                assert not release.is_set(), "the other client still waits"
            finally:
                release.set()


def test_a_client_that_takes_its_answer_and_leaves_did_not_hang_up(upstream: UpstreamServer, index: Index) -> None:
    with running_proxy(upstream.address, index) as port:
        for _ in range(20):
            httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
        statuses = [query["status"] for query in httpx.get(f"http://127.0.0.1:{port}/stats").json()["recent_queries"]]
    assert statuses == [200] * 20
    assert upstream.left == []
