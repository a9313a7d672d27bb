#!/usr/bin/env python3
"""Asks a scripted server with faults for thousands of answers, kills the client in between, and counts what stands in the journal.

    python benchmarks/augment_faults.py [--calls 10000] [--faults 0.05] [--kills 3]

Three runs against tests/fakes/chat_server.py, a process of its own, each with a fresh server: ours with kill -9 at random times, ours
without, and the openai package's AsyncOpenAI with a semaphore and max_retries, as many calls at a time. Needs the dev environment
(`./lorewright envs path dev`). Writes benchmarks/results/augment.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
IN_FLIGHT, TIMEOUT, RETRIES = 32, 1.0, 8
sys.path[:0] = [str(REPO / "src"), str(REPO)]


def prompt(number: int) -> str:
    return f"What does bell {number} say when the tide is late?"


@contextlib.contextmanager
def server(faults: float, seed: int, slow: float = 0.0) -> Iterator[str]:
    """The scripted server in a process of its own; gives its base URL."""
    command = [sys.executable, str(REPO / "tests/fakes/chat_server.py"), "--faults", str(faults), "--seed", str(seed), "--slow", str(slow)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.terminate()


def counts(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts") as reply:
        return dict(json.load(reply))


def client(url: str, folder: Path, calls: int) -> None:
    """What is killed: one augmentation of `calls` prompts into the folder."""
    from lorewright.data.augment import Endpoint, Item, augment
    from lorewright.progress import Console
    from lorewright.recipe.check import schema
    from lorewright.recipe.model import Augment

    keys = schema("recipe")["properties"]["data"]["properties"]["augment"]["properties"]
    values = {name: part["default"] for name, part in keys.items() if "default" in part}
    values |= {"job": "answers", "in_flight": IN_FLIGHT, "timeout": TIMEOUT, "retries": RETRIES, "coverage": 1.0}
    augment([Item(str(n), prompt(n)) for n in range(calls)], Augment(**values), folder, Console(), endpoint=Endpoint(url, "m", free=True))


def started(url: str, folder: Path, calls: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--client", url, str(folder), "--calls", str(calls)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def survive(url: str, folder: Path, calls: int, kills: int, seed: int) -> dict[str, Any]:
    """Runs the client, kills it -9 at a random count of answers in each part of the way, lets it end, and counts."""
    draw, journal, at_kill = random.Random(seed), folder / "journal.jsonl", []
    step = calls * 9 // 10 // max(1, kills)
    for part in range(kills):
        aim = part * step + draw.randrange(step // 10, step)
        process = started(url, folder, calls)
        while not journal.exists() or journal.read_bytes().count(b"\n") < aim:
            time.sleep(0.02)
            assert process.poll() is None, process.communicate()
        time.sleep(draw.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        at_kill.append(journal.read_bytes().count(b"\n"))
    process = started(url, folder, calls)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    return tally(folder, calls, counts(url)) | {"at_kill": at_kill, "said": said.strip().splitlines()[-1]}


def tally(folder: Path, calls: int, served: dict[str, Any]) -> dict[str, Any]:
    """lost, twice: prompts with no line in the journal, with more than one. again: good answers that a kill threw away."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    names = Counter(record["name"] for record in lines)
    wrong = sum(record["value"] != f"Answer to: {prompt(int(record['name']))}" for record in lines)
    rows = (folder / "answers.jsonl").read_text(encoding="utf-8").count("\n")
    lost, twice = calls - len(names), sum(number > 1 for number in names.values())
    again = sum(number - 1 for number in served["well"].values())
    return {"lost": lost, "twice": twice, "wrong": wrong, "rows": rows, "again": again, "made": served["made"], "tries": served["tries"]}


async def peer(url: str, calls: int) -> dict[str, Any]:
    """The same with the openai package: answers in memory only."""
    from openai import AsyncOpenAI, OpenAIError

    gate, lost = asyncio.Semaphore(IN_FLIGHT), Counter[str]()
    answers: dict[int, str] = {}

    async def one(api: AsyncOpenAI, number: int) -> None:
        async with gate:
            try:
                turn = {"role": "user", "content": prompt(number)}
                reply = await api.chat.completions.create(model="m", messages=[turn], max_tokens=1024, temperature=0.7)  # type: ignore[list-item]
                answers[number] = reply.choices[0].message.content or ""
            except (OpenAIError, ValueError) as problem:
                lost[type(problem).__name__] += 1

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=RETRIES, timeout=TIMEOUT) as api:
        await asyncio.gather(*(one(api, number) for number in range(calls)))
    return {"answers": len(answers), "lost": dict(lost)}


def timed_ours(calls: int, faults: float, seed: int, folder: Path) -> tuple[float, dict[str, Any]]:
    with server(faults, seed) as url:
        begun = time.monotonic()
        process = started(url, folder, calls)
        said = process.communicate()[1]
        assert process.returncode == 0, said
        return time.monotonic() - begun, tally(folder, calls, counts(url))


def timed_peer(calls: int, faults: float, seed: int) -> tuple[float, dict[str, Any]]:
    with server(faults, seed) as url:
        begun = time.monotonic()
        command = [sys.executable, __file__, "--peer", url, "--calls", str(calls)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return time.monotonic() - begun, dict(found)


def report(given: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as place:
        with server(given.faults, 7) as url:
            killed = survive(url, Path(place) / "killed", given.calls, given.kills, given.seed)
        ours, whole = timed_ours(given.calls, given.faults, 8, Path(place) / "whole")
        theirs, found = timed_peer(given.calls, given.faults, 8)
    made = ", ".join(f"{number} {kind}" for kind, number in sorted(killed["made"].items()))
    from benchmarks.times import processor

    machine = f"{os.cpu_count()} cores of an {processor()} (shared), Python {sys.version.split()[0]}"
    lost = ", ".join(f"{number} × {kind}" for kind, number in found["lost"].items()) or "none"
    return f"""# Augment against faults

{time.strftime("%Y-%m-%d")}, {machine}. {given.calls:,} calls each, {IN_FLIGHT} at a time, timeout {TIMEOUT:g} s, {RETRIES} retries;
`tests/fakes/chat_server.py` makes {given.faults:.0%} faults of five kinds. Made by `python benchmarks/augment_faults.py`.

| with {given.kills} × `kill -9` of the client | |
|---|---|
| killed when so many answers stood in the journal | {", ".join(f"{number:,}" for number in killed["at_kill"])} |
| faults met | {made} |
| prompts without an answer in the journal | {killed["lost"]} |
| prompts with two | {killed["twice"]} |
| answers that belong to another prompt | {killed["wrong"]} |
| rows at the end | {killed["rows"]:,} |
| good answers that were under way when a kill came, and asked for again | {killed["again"]} |

| without kills, start of the process included | seconds | calls/s | prompts lost | kept on disk |
|---|---|---|---|---|
| lorewright | {ours:.1f} | {given.calls / ours:.0f} | {whole["lost"]} | each, fsynced before the next call |
| openai {version("openai")}, AsyncOpenAI, semaphore, max_retries | {theirs:.1f} | {given.calls / theirs:.0f} | {lost} | no |
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--client", nargs=2, metavar=("URL", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--peer", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        client(given.client[0], Path(given.client[1]), given.calls)
    elif given.peer:
        print(json.dumps(asyncio.run(peer(given.peer, given.calls))))
    else:
        text = report(given)
        print(text)
        (REPO / "benchmarks/results/augment.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
