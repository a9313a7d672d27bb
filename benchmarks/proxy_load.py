"""What the lore proxy adds: to the latency of a request without lore, and to many long streams; against a scripted model server.

Use: python benchmarks/proxy_load.py [--seconds 20] [--streams 200] [--minutes 5] [--peer PYTHON], with the dev environment.
Model server, proxy and this client are three processes. PYTHON: of an environment of its own with `litellm[proxy]`; LiteLLM's proxy
then gets the same requests in the same run. Writes benchmarks/results/proxy_load.md; ends with 1 where a goal is missed.
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
WARM_UP = 50  # requests each way, one after the other, that do not count


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
def model_server() -> Iterator[str]:
    """The scripted model server's address; it prints its port."""
    command = [sys.executable, str(REPO / "benchmarks" / "scripted_model.py")]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"


@contextlib.contextmanager
def started(command: list[str], ready: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A server, once the address `ready` answers. What it prints on the way is not kept."""
    settings = {**os.environ, **variables}
    with ended(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, env=settings)) as process:
        asyncio.run(until_ready(ready))
        yield process


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def until_ready(url: str) -> None:
    async with aiohttp.ClientSession() as client:
        for _ in range(1200):
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(url) as answer:
                    if answer.status == 200:
                        return
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

        for number in range(2 * WARM_UP):
            await one(number, 0.0)
        times[0].clear()
        times[1].clear()
        begin = time.perf_counter() + 0.5
        # Twice the rate, so that the proxy alone gets `rate` requests a second.
        tasks = [asyncio.create_task(one(number, begin + number / rate / 2)) for number in range(int(rate * seconds) * 2)]
        await asyncio.gather(*tasks)
    return times


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


def report_latency(measured: dict[str, tuple[list[float], list[float]]], rate: int) -> tuple[list[str], list[str]]:
    """measured: whose proxy -> (seconds past it, seconds through it); ours first, for which alone there are goals."""
    count = len(next(iter(measured.values()))[1])
    lines = [f"## A request without lore, {rate} a second ({count:,} each way, interleaved; one proxy after the other)", ""]
    lines += ["| | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|"]
    added = {}
    for name, (past, through) in measured.items():
        added[name] = {p: (percentile(through, p) - percentile(past, p)) * 1000 for p in (50, 95, 99)}
        for said, times in (("direct", past), (f"through {name}", through)):
            lines.append(f"| {said} | " + " | ".join(f"{percentile(times, p) * 1000:.2f}" for p in (50, 95, 99)) + " |")
        lines.append(f"| **added by {name}** | " + " | ".join(f"**{ms:.2f}**" for ms in added[name].values()) + " |")
    ours = next(iter(added.values()))
    missed = [f"p{p} of the added latency is {ours[p]:.2f} ms" for p, most in ((50, 2), (95, 10)) if ours[p] > most]
    return [*lines, "", "Goal: p50 ≤ 2 ms, p95 ≤ 10 ms.", ""], missed


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


@contextlib.contextmanager
def litellm(python: str, upstream: str) -> Iterator[tuple[str, str]]:
    """(name and version, address) of LiteLLM's proxy before the model server: one worker, no key, no database, nothing phoned home."""
    version = subprocess.run(
        [python, "-c", "from importlib.metadata import version; print(version('litellm'))"], check=True, capture_output=True, text=True
    )
    model = {"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": f"{upstream}/v1", "api_key": "none"}}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"  # JSON is YAML
        file.write_text(json.dumps({"model_list": [model], "litellm_settings": {"telemetry": False, "num_retries": 0}}))
        port = free_port()
        command = [str(Path(python).parent / "litellm"), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
        address = f"http://127.0.0.1:{port}"
        local = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with started(command, f"{address}/health/liveliness", LITELLM_LOG="ERROR", **local):
            yield f"LiteLLM {version.stdout.strip()}", address


def measure_latency(given: argparse.Namespace, direct: str, proxied: str) -> tuple[list[str], list[str]]:
    measured = {"lorewright": asyncio.run(latency(direct, proxied, given.rate, given.seconds))}
    if given.peer:
        with litellm(given.peer, direct) as (name, address):
            measured[name] = asyncio.run(latency(direct, address, given.rate, given.seconds))
    return report_latency(measured, given.rate)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50, help="requests a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="for the latency (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--peer", metavar="PYTHON", help="of an environment with litellm[proxy]")
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, model_server() as direct:
        proxied = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "lorewright.rag", "--config", settings(folder, direct, port)]
        with started(command, f"{proxied}/health", PYTHONPATH=str(REPO / "src")) as proxy:
            first, missed = measure_latency(given, direct, proxied)
            print(*first, sep="\n", flush=True)
            alone = asyncio.run(streams(direct, given.streams, min(0.5, given.minutes), None))
            through = asyncio.run(streams(proxied, given.streams, given.minutes, proxy.pid))
            second, missed_too = report_streams(through, alone, given.streams, given.minutes)
            print(*second, sep="\n", flush=True)
    where = f"{os.cpu_count()} cores of an {cpu()} (shared by client, proxy and model server), Python {platform.python_version()}"
    head = f"{time.strftime('%Y-%m-%d')}, {where}."
    made = "The model server is `benchmarks/scripted_model.py`, so only the proxy is measured; each proxy is one process. "
    made += "Made by `python benchmarks/proxy_load.py`."
    given.output.write_text("\n".join(["# The proxy under load", "", head, made, "", *first, *second]))
    print(*(f"missed: {one}" for one in missed + missed_too), sep="\n")
    return 1 if missed or missed_too else 0


if __name__ == "__main__":
    sys.exit(main())
