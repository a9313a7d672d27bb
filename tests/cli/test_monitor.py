"""The monitors, against small servers that answer as vLLM and the proxy do."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from lorewright.cli.monitor import rag_lines
from tests.conftest import REPO

RECORDED = (Path(__file__).parents[1] / "serving" / "metrics_0.32.txt").read_text(encoding="utf-8")
QUERY: dict[str, Any] = {
    "time": "2026-11-21T12:00:05.123+00:00", "question": "How old is Wim?", "streamed": True, "dropped": [], "retrieval_ms": 8.0, "status": 200,
    "total_ms": 900.0, "error": None, "passages": [{"source": "characters/wim.md", "heading": "Age", "category": "characters", "distance": 0.31}],
}  # fmt: skip
NONE = {"count": 0, "p50": None, "p95": None, "p99": None}
STATS = {
    "recipe": "late", "total_queries": 3, "chunks_available": 90, "collection": {},
    "latency_ms": {"retrieval": {"count": 1000, "p50": 8.0, "p95": 12.4, "p99": 31.0}, "first_byte": NONE, "total": {"count": 2, "p50": 900.0, "p95": 950.0, "p99": 950.0}},
    "recent_queries": [QUERY | {"status": None, "total_ms": None}, QUERY, QUERY | {"status": 503, "total_ms": 100.0, "passages": []}],
}  # fmt: skip
Lorewright = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def port() -> Iterator[int]:
    asked = iter(range(10_000))

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            more = f'vllm:generation_tokens_total{{engine="another"}} {next(asked) * 100}.0\n'
            text = json.dumps(STATS) if self.path == "/stats" else RECORDED + more
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


@pytest.mark.req("F6")
def test_one_view_of_vllm(port: int, lorewright: Lorewright) -> None:
    lines = lorewright("monitor", "serve", "--once", "--port", str(port)).stdout.splitlines()
    assert lines[0] == "requests   0 running, 0 waiting, 5 finished"
    speed = float(lines[1].split()[1].replace(",", ""))
    assert 100 < speed <= 200, "a hundred tokens between two looks half a second apart"
    assert "of the prompt tokens were still in the cache" in lines[4]
    assert [line.split("  ")[0] for line in lines if line.endswith("since the start")] == [
        "first token",
        "between tokens",
        "whole request",
        "in the queue",
    ]


@pytest.mark.req("F6")
def test_json_is_for_scripts(port: int, lorewright: Lorewright) -> None:
    found = json.loads(lorewright("monitor", "vllm", "--once", "--json", "--port", str(port)).stdout)
    assert (found["running"], found["finished"], found["kv_cache_share"]) == (0, 5, 0)
    assert set(found["latency_seconds"]) == {"first_token", "between_tokens", "whole_request", "queue"}


@pytest.mark.req("F8")
def test_one_view_of_the_proxy(port: int, lorewright: Lorewright) -> None:
    assert lorewright("monitor", "proxy", "--once", "--port", str(port)).stdout.splitlines() == [
        "queries    3 answered, 90 lore passages available",
        "retrieval  p50 8 ms, p95 12 ms, p99 31 ms over the last 1,000",
        "answer     p50 900 ms, p95 950 ms, p99 950 ms over the last 2",
        "failed     1 of the last 3",
        "",
        "12:00:05     running  ...  How old is Wim?",
        "             0.310  characters/wim.md · Age",
        "12:00:05      900 ms  200  How old is Wim?",
        "             0.310  characters/wim.md · Age",
        "12:00:05      100 ms  503  How old is Wim?",
    ]
    assert json.loads(lorewright("monitor", "rag", "--once", "--json", "--port", str(port)).stdout) == STATS


def test_a_proxy_that_was_asked_nothing(port: int) -> None:
    none = {"retrieval": NONE, "first_byte": NONE, "total": NONE}
    assert rag_lines({"total_queries": 0, "chunks_available": 9, "latency_ms": none, "recent_queries": []}) == [
        "queries    0 answered, 9 lore passages available",
        "",
    ]


def test_what_is_no_proxy_is_said(port: int, lorewright: Lorewright) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plain) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        done = lorewright("monitor", "rag", "--once", "--port", str(other.server_address[1]))
        other.shutdown()
    assert (done.returncode, done.stderr.strip().partition(": ")[2]) == (1, "what answers there is not the RAG proxy")


def test_on_a_terminal_it_refreshes_in_place_and_ctrl_c_ends_it(port: int) -> None:
    screen, end = pty.openpty()
    words = [sys.executable, "-m", "lorewright.cli", "monitor", "serve", "--port", str(port), "--every", "0.1"]
    settings = os.environ | {"PYTHONPATH": str(REPO / "src"), "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    watcher = subprocess.Popen(words, env=settings, stdin=end, stdout=end, stderr=end)
    os.close(end)
    shown = b""
    while shown.count(b"requests   0 running") < 2:
        shown += os.read(screen, 65536)
    watcher.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(screen, 65536):
            shown += piece
    os.close(screen)
    assert watcher.wait(timeout=20) == 0
    assert shown.count(b"\x1b[?1049h") == 1 and b"interrupted" not in shown


class Plain(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *words: object) -> None:
        pass
