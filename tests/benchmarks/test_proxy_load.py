"""The load script works: a small run of it, and that it sees what a proxy does wrong."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.proxy_load import Streams, report_latency, report_streams, streams
from tests.rag.test_upstream import socket_server

EVENTS = [b'data: {"number":%d,"sent":%d.5}\n\n' % (number, number) for number in range(40)]


@pytest.mark.real
@pytest.mark.req("F8")
def test_a_small_run(tmp_path: Path, repo: Path) -> None:
    script = [sys.executable, str(repo / "benchmarks" / "proxy_load.py"), "--seconds", "1", "--streams", "5", "--minutes", "0.05"]
    done = subprocess.run([*script, "--output", str(tmp_path / "load.md")], capture_output=True, text=True)
    said = (tmp_path / "load.md").read_text()
    assert "| events through the proxy | 150 |" in said and "| streams with a lost, changed or reordered byte | 0 |" in said
    missed = [line for line in done.stdout.splitlines() if line.startswith("missed: ")]
    assert done.returncode == bool(missed), done.stderr
    assert not any("streams are not as sent" in line or "memory" in line for line in missed)


def digest(events: list[bytes]) -> bytes:
    return b'data: {"sha256":"%s"}\n\ndata: [DONE]\n\n' % hashlib.sha256(b"".join(events)).hexdigest().encode()


STREAMS = {
    "as sent": ([*EVENTS, digest(EVENTS)], 0),
    "one lost": (EVENTS[:7] + EVENTS[8:] + [digest(EVENTS)], 1),
    "two exchanged": ([*EVENTS[:7], EVENTS[8], EVENTS[7], *EVENTS[9:], digest(EVENTS)], 1),
    "a byte changed": ([*EVENTS[:7], EVENTS[7].replace(b"data", b"date"), *EVENTS[8:], digest(EVENTS)], 1),
    "cut off": (EVENTS, 1),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_that_is_not_as_sent_is_counted(case: str) -> None:
    events, wrong = STREAMS[case]

    def serve(client, number: int) -> None:  # type: ignore[no-untyped-def]
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + b"".join(events))

    with socket_server(serve) as address:
        assert asyncio.run(streams(address, 1, 40 / 600, None)).wrong == wrong


def test_every_goal_that_is_missed_is_told() -> None:
    fast, slow = [0.001] * 100, [0.001] * 90 + [0.02] * 10
    assert report_latency({"lorewright": (fast, fast), "Peer 1": (fast, [9.0] * 100)}, 50)[1] == [], "a peer has no goals"
    lines, missed = report_latency({"lorewright": (fast, slow)}, 50)
    assert missed == ["p95 of the added latency is 19.00 ms"]
    assert "| **added by lorewright** | **0.00** | **19.00** | **19.00** |" in lines
    good = Streams([0.1], [0.1], 1, 0, [100] * 10)
    assert report_streams(good, good, 1, 5)[1] == []
    bad = Streams([0.2], [0.1], 1, 2, [100] * 9 + [106])
    assert report_streams(bad, good, 1, 5)[1] == [
        "2 streams are not as sent",
        "the gap is 100.0 ms over upstream's",
        "memory grew by 6.0 %",
    ]
