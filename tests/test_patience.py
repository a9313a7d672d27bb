"""Waiting: the server's own wish, doubled and spread waits, a pace for all."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from lorewright.chat import Client, GaveUpError, Pace, Patience
from lorewright.chat.many import is_here
from lorewright.chat.patience import retry_after


def test_what_the_server_asks_for() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    told = [retry_after(httpx.Headers({"Retry-After": value})) for value in ("2", "0.5", "soon", "", "-3", "999999", soon)]
    assert told[:6] == [2.0, 0.5, 0.0, 0.0, 0.0, 600.0] and 27 < told[6] <= 30
    assert retry_after(httpx.Headers({"retry-after-ms": "250", "retry-after": "9"})) == 0.25


def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    patience = Patience(first=1.0, longest=8.0)
    for attempt, most in ((0, 1), (1, 2), (3, 8), (9, 8), (5000, 8)):
        waits = {patience.wait(attempt) for _ in range(50)}
        assert most / 2 <= min(waits) < max(waits) <= most


def test_starts_keep_their_distance_and_a_hold_stops_all() -> None:
    async def starts(pace: Pace, count: int) -> list[float]:
        times: list[float] = []

        async def one() -> None:
            await pace.turn()
            times.append(time.monotonic() - begun)

        begun = time.monotonic()
        await asyncio.gather(*(one() for _ in range(count)))
        return sorted(times)

    found = asyncio.run(starts(Pace.of(0.01, 1200), 5))
    assert [at >= 0.05 * number - 0.005 for number, at in enumerate(found)] == [True] * 5
    held = Pace()
    held.hold(0.2)
    assert asyncio.run(starts(held, 3))[0] >= 0.19


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:8000/v1", True), ("http://localhost/v1", True), ("http://[::1]:1/v1", True), ("https://api.x.ai/v1", False)],
)
def test_what_runs_here(url: str, here: bool) -> None:
    assert is_here(url) is here


def test_a_trickle_is_no_answer_and_retry_after_is_kept_to() -> None:
    """A server that sends a byte now and then, for ever; and one that asks for a second."""
    times: list[float] = []

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        times.append(time.monotonic())
        if len(times) == 1:
            writer.write(b"HTTP/1.1 503 X\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
            for _ in range(20):
                writer.write(b" ")
                await asyncio.sleep(0.05)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with Client(url, patience=Patience(timeout=0.3, retries=1)) as client:
            begun = time.monotonic()
            with pytest.raises(GaveUpError, match=r"gave up after 2 tries: no whole answer within 0\.3 s"):
                await client.complete({"model": "m", "messages": []})
            assert times[1] - begun >= 1.0 and time.monotonic() - times[1] < 0.9
        server.close()
        await asyncio.sleep(1.1)

    asyncio.run(run())


def test_a_long_retry_after_holds_all_calls() -> None:
    """A limit is shared: while one call waits as told, no other is started."""
    times: list[float] = []

    async def busy_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        times.append(time.monotonic())
        told = b"429 X\r\nretry-after: 1" if len(times) == 1 else b"500 X"
        writer.write(b"HTTP/1.1 " + told + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(busy_once, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with Client(url, patience=Patience(retries=0)) as client:
            for _ in range(2):
                with pytest.raises(GaveUpError):
                    await client.complete({"model": "m", "messages": []})
        server.close()

    asyncio.run(run())
    assert times[1] - times[0] >= 1.0
