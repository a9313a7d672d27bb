"""What the lore proxy adds: to the latency of a request without lore, and to many long streams; against a scripted model server.

Use: python benchmarks/proxy_load.py [--seconds 20] [--streams 200] [--minutes 5], with the dev environment.
Model server, proxy and this client are three processes. Writes benchmarks/results/proxy_load.md; ends with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "benchmarks" / "results" / "proxy_load.md"
SENT = re.compile(rb'"number":(\d+),"sent":([0-9.]+)')
BODY = {"model": "m", "messages": [{"role": "user", "content": "Which arm is cybernetic? " * 20}], "temperature": 0.7}
PATH = "/v1/chat/completions"


@dataclass
class Streams:
    """gaps, sent_gaps: seconds between two events of a stream, as they came and as they were sent. wrong: streams not as sent.

    memory: bytes of the proxy, once a second.
    """

    gaps: list[float] = field(default_factory=list)
    sent_gaps: list[float] = field(default_factory=list)
    events: int = 0
    wrong: int = 0
    memory: list[int] = field(default_factory=list)


@contextlib.contextmanager
def started(command: list[str], ready: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process, and the first line that it prints where `ready` is "line"; else waits for that address to answer."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPO / "src")})
    try:
        assert process.stdout
        yield process, process.stdout.readline().strip() if ready == "line" else asyncio.run(until_ready(ready))
    finally:
        process.terminate()
        process.wait(10)


async def until_ready(url: str) -> str:
    async with aiohttp.ClientSession() as client:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(url) as answer:
                    if answer.status == 200:
                        return url
            await asyncio.sleep(0.05)
    raise SystemExit(f"{url} does not answer")


async def latency(direct: str, proxied: str, rate: int, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of each request, sent by the clock whatever is still under way; every other one goes past the proxy."""
    times: tuple[list[float], list[float]] = ([], [])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def one(number: int, begin: float) -> None:
            await asyncio.sleep(max(0.0, begin - time.perf_counter()))
            started_at = time.perf_counter()
            async with client.post((direct, proxied)[number % 2] + PATH, json=BODY) as answer:
                await answer.read()
                assert answer.status == 200, await answer.text()
            times[number % 2].append(time.perf_counter() - started_at)

        begin = time.perf_counter() + 0.5
        # Twice the rate, so that the proxy alone gets `rate` requests a second.
        tasks = [asyncio.create_task(one(number, begin + number / rate / 2)) for number in range(int(rate * seconds) * 2)]
        await asyncio.gather(*tasks)
    skipped = rate  # the first second warms up
    return times[0][skipped:], times[1][skipped:]


async def streams(address: str, count: int, minutes: float, pid: int | None) -> Streams:
    found = Streams()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as client:
        watch = asyncio.create_task(watch_memory(pid, found)) if pid else None
        await asyncio.gather(*(one_stream(client, address, number / count, int(minutes * 600), found) for number in range(count)))
        if watch:
            watch.cancel()
    return found


async def one_stream(client: aiohttp.ClientSession, address: str, delay: float, events: int, found: Streams) -> None:
    """Reads one stream to its end. What came must be what was sent: all events in order, and their digest."""
    await asyncio.sleep(delay)
    digest, held, came_before, sent_before, expected = hashlib.sha256(), b"", 0.0, 0.0, 0
    async with client.post(address + PATH, json=BODY | {"stream": True, "max_tokens": events}) as answer:
        async for chunk in answer.content.iter_any():
            now = time.monotonic()
            whole, _, held = (held + chunk).rpartition(b"\n\n")
            for event in whole.split(b"\n\n") if whole else ():
                mark = SENT.search(event)
                if not mark:
                    expected = -1 if expected == events and digest.hexdigest().encode() in event else expected
                    continue
                number, sent = int(mark[1]), float(mark[2])
                digest.update(event + b"\n\n")
                expected += number == expected
                if number > 20:  # two seconds to settle
                    found.gaps.append(now - came_before)
                    found.sent_gaps.append(sent - sent_before)
                came_before, sent_before = now, sent
                found.events += 1
    found.wrong += expected != -1


async def watch_memory(pid: int, found: Streams) -> None:
    while True:
        await asyncio.sleep(1)
        found.memory.append(resident(pid))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def report_latency(direct: list[float], proxied: list[float], rate: int) -> tuple[list[str], list[str]]:
    added = {percent: (percentile(proxied, percent) - percentile(direct, percent)) * 1000 for percent in (50, 95, 99)}
    rows = [("direct", direct), ("through the proxy", proxied)]
    lines = [
        f"## A request without lore, {rate} a second ({len(proxied):,} requests each way, interleaved)",
        "",
        "| | p50 ms | p95 ms | p99 ms |",
    ]
    lines += ["|---|---|---|---|"]
    lines += [f"| {name} | " + " | ".join(f"{percentile(values, p) * 1000:.2f}" for p in (50, 95, 99)) + " |" for name, values in rows]
    lines += ["| **added** | " + " | ".join(f"**{added[p]:.2f}**" for p in (50, 95, 99)) + " |", "", "Goal: p50 ≤ 2 ms, p95 ≤ 10 ms.", ""]
    return lines, [f"p{p} of the added latency is {added[p]:.2f} ms" for p, most in ((50, 2), (95, 10)) if added[p] > most]


def report_streams(through: Streams, direct: Streams, count: int, minutes: float) -> tuple[list[str], list[str]]:
    sent, came = percentile(through.sent_gaps, 99) * 1000, percentile(through.gaps, 99) * 1000
    alone = percentile(direct.gaps, 99) * 1000
    settled, ended = through.memory[len(through.memory) // 5], through.memory[-1]
    grown = (ended / settled - 1) * 100
    lines = [f"## {count} streams of ten events a second for {minutes:g} minutes", "", "| | |", "|---|---|"]
    lines += [f"| events through the proxy | {through.events:,} |", f"| streams with a lost, changed or reordered byte | {through.wrong} |"]
    lines += [f"| p99 gap between two events, as sent by the model server | {sent:.1f} ms |"]
    lines += [f"| p99 gap as received through the proxy | **{came:.1f} ms** (over upstream's: {came - sent:.1f} ms) |"]
    lines += [f"| p99 gap as received without the proxy, a shorter run | {alone:.1f} ms |"]
    lines += [f"| proxy's memory after a fifth of the time, at the end | {settled / 1e6:.1f} MB, {ended / 1e6:.1f} MB ({grown:+.1f} %) |"]
    lines += ["", "Goal: no byte lost or reordered, gap ≤ 50 ms over upstream's, memory flat within 5 %.", ""]
    missed = [f"{through.wrong} streams are not as sent"] if through.wrong else []
    missed += [f"the gap is {came - sent:.1f} ms over upstream's"] if came - sent > 50 else []
    return lines, missed + ([f"memory grew by {grown:.1f} %"] if grown > 5 else [])


def settings(folder: str, upstream: str, port: int) -> str:
    file = Path(folder) / "rag.json"
    values = {"upstream": upstream, "index": None, "embedding_model": "none", "top_k": 1, "max_distance": 1.0, "host": "127.0.0.1"}
    file.write_text(json.dumps(values | {"port": port, "recipe": "load", "max_active": 1000}))
    return str(file)


def free_port() -> int:
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def cpu() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50, help="requests a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="for the latency (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()
    port = free_port()
    model = started([sys.executable, str(REPO / "benchmarks" / "scripted_model.py")], "line")
    with tempfile.TemporaryDirectory() as folder, model as (_, upstream_port):
        direct, proxied = f"http://127.0.0.1:{upstream_port}", f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "lorewright.rag", "--config", settings(folder, direct, port)]
        with started(command, f"{proxied}/health") as (proxy, _):
            first, missed = report_latency(*asyncio.run(latency(direct, proxied, given.rate, given.seconds)), given.rate)
            print(*first, sep="\n", flush=True)
            alone = asyncio.run(streams(direct, given.streams, min(0.5, given.minutes), None))
            through = asyncio.run(streams(proxied, given.streams, given.minutes, proxy.pid))
            second, missed_too = report_streams(through, alone, given.streams, given.minutes)
            print(*second, sep="\n", flush=True)
    where = f"{os.cpu_count()} cores of an {cpu()} (shared by client, proxy and model server), Python {platform.python_version()}"
    head = f"{time.strftime('%Y-%m-%d')}, {where}."
    made = "The model server is `benchmarks/scripted_model.py`, so only the proxy is measured. Made by `python benchmarks/proxy_load.py`."
    given.output.write_text("\n".join(["# The proxy under load", "", head, made, "", *first, *second]))
    print(*(f"missed: {one}" for one in missed + missed_too), sep="\n")
    return 1 if missed or missed_too else 0


if __name__ == "__main__":
    sys.exit(main())
