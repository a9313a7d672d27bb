"""Ten minutes of kill -9 on vLLM, the proxy and the ingest while clients ask and a writer writes; nothing may be lost or wrong.

LOREWRIGHT_FAULTS_MINUTES, _SEED and _VLLM=real (the CPU build with the tiny model instead of the stand-in) change it.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lorewright.manifest import read_json
from lorewright.rag.store import open_index
from tests.faults.clients import Question, Weather, asked, asking
from tests.faults.conftest import REAL
from tests.faults.desk import Desk
from tests.faults.writer import Writer

MINUTES = float(os.environ.get("LOREWRIGHT_FAULTS_MINUTES", "10"))
SEED = int(os.environ.get("LOREWRIGHT_FAULTS_SEED", "7"))
CLIENTS = 2 if REAL else 6


@pytest.mark.long
@pytest.mark.timeout(max(1800, MINUTES * 60 * 3))
@pytest.mark.req("F7", "F8")
def test_nothing_is_lost_or_wrong_whatever_is_killed(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw, weather = random.Random(SEED), Weather()
    writer = Writer(tmp_path / "lore", draw)
    desk.lorewright("rag", str(desk.file))
    begun, ingests = time.monotonic(), Counter[str]()
    with asking(desk.url, weather, "faults", CLIENTS, SEED, real=REAL):
        while time.monotonic() - begun < MINUTES * 60:
            one_round(desk, writer, weather, draw, ingests)
            assert not weather.wrong, weather.wrong[:5]
    assert not weather.wrong, weather.wrong[:5]
    minutes = (time.monotonic() - begun) / 60
    with capsys.disabled():
        print(summary(minutes, desk, weather, ingests))
    require_the_lore_on_disk(desk, writer, tmp_path)
    stopped = desk.lorewright("stop")
    assert stopped.count("stopped") == 2, stopped
    assert desk.left() == {}
    assert weather.outcomes["whole"] > 10 * MINUTES


def one_round(desk: Desk, writer: Writer, weather: Weather, draw: random.Random, ingests: Counter[str]) -> None:
    """The writer writes, an ingest may run, something may be killed; then all comes back by its normal commands."""
    writer.write()
    ingest = desk.ingesting(*(["--watch"] if draw.random() < 0.3 else [])) if draw.random() < 0.8 else None
    if ingest and draw.random() < 0.5:  # kill it while it makes an index, rather than while it loads
        beginnings = set(desk.collection.glob("*.partial"))
        until(lambda: set(desk.collection.glob("*.partial")) - beginnings or ingest.poll() is not None, 20)
        time.sleep(draw.uniform(0, 1))
    else:
        time.sleep(draw.uniform(0.2, 5))
    if draw.random() < 0.3:
        writer.write()  # while it is read
    kill_services(desk, weather, draw)
    if ingest:
        ended(desk, ingest, weather, draw, ingests)
    if not weather.calm:
        come_back(desk, weather, draw)


def kill_services(desk: Desk, weather: Weather, draw: random.Random) -> None:
    chosen = [name for name in ("serve", "rag") if draw.random() < 0.35]
    if chosen:
        weather.storm()
    for name in chosen:
        desk.kill(name, draw.choice(["leader", "one", "all"]), draw)


def ended(desk: Desk, ingest: subprocess.Popen[str], weather: Weather, draw: random.Random, ingests: Counter[str]) -> None:
    """An ingest is killed, or ends by itself; then a proxy that nobody kills has what it made."""
    watching = "--watch" in list(map(str, ingest.args))  # type: ignore[arg-type, call-overload]
    if watching and draw.random() < 0.5:
        time.sleep(draw.uniform(0, 8))
    if watching or draw.random() < 0.5:
        running = ingest.poll() is None
        ingest.kill()
        said, _ = ingest.communicate()
        desk.kills["ingest --watch" if watching else "ingest"] += running
    else:
        said, _ = ingest.communicate(timeout=300)
        changed = "the lore has changed while it was read" in said
        assert ingest.returncode == 0 or changed, said
        ingests["ended well" if ingest.returncode == 0 else "told that the lore changed meanwhile"] += 1
        if weather.calm:
            desk.require_newest_taken_up()
            ingests["taken up by the running proxy"] += 1
    assert "Traceback" not in said, said


def come_back(desk: Desk, weather: Weather, draw: random.Random) -> None:
    """What a person does whose desk does not answer. A real vLLM may be dying while it is looked at: then once more."""
    words = draw.choice([("rag",), ("serve", "rag"), ("stop", "rag"), ("restart",)])
    for word in words:
        desk.lorewright(word, *([] if word == "stop" else [str(desk.file)]), right=not REAL)
    desk.lorewright("rag", str(desk.file), right=not REAL)
    if REAL:
        desk.lorewright("rag", str(desk.file))
    with httpx.Client(base_url=desk.url, timeout=120, trust_env=False) as client:
        assert client.get("/ready").status_code == 200
        assert asked(client, Question("faults", 1, 9, True, REAL)) == "whole"
    desk.require_newest_taken_up()
    weather.calm = True


def require_the_lore_on_disk(desk: Desk, writer: Writer, tmp_path: Path) -> None:
    """The index is what a fresh ingest makes of the same files, and going on with it costs nothing."""
    writer.add()
    desk.lorewright("ingest", str(desk.file))
    desk.require_newest_taken_up()
    desk.lorewright("ingest", str(desk.file), "--runs", str(tmp_path / "fresh"))
    fresh = (tmp_path / "fresh" / "faults" / "latest" / "ingest").resolve()
    assert fresh.name == desk.newest().name
    assert contents(desk.newest() / "index") == contents(fresh / "index")
    kept, made = vectors(desk.newest() / "index"), vectors(fresh / "index")
    assert kept.keys() == made.keys()
    # In bfloat16 a vector depends a little on what was embedded beside it; another text's is farther than 0.1.
    assert [key for key in made if (np.sum(kept[key] * made[key], axis=1) < 0.99).any()] == []
    assert "ingest    unchanged, skipped" in desk.lorewright("ingest", str(desk.file))
    writer.files()[0].unlink()
    desk.lorewright("ingest", str(desk.file))
    facts = read_json(desk.newest() / "step.json")["facts"]
    assert (facts["embedded"], facts["gone"]) == (0, 1)
    desk.require_newest_taken_up()
    whole = [path for path in desk.collection.iterdir() if path.is_dir()]
    assert len(whole) <= 3, "the newest two, and one that the proxy may have open still"


def contents(folder: Path) -> set[Any]:
    """Every passage with its place."""
    index = open_index(folder)
    question = "SELECT f.key, f.source, f.category, f.title, f.tags, p.number, p.section, p.heading, p.text FROM passages p JOIN files f ON f.key = p.file"
    found = set(index.catalogue._ask(question, ()))
    index.close()
    return found


def vectors(folder: Path) -> dict[str, Any]:
    index = open_index(folder)
    keys = [row[0] for row in index.catalogue._ask("SELECT key FROM files", ())]
    found = {key: index.vectors_of(key)[1] for key in keys}
    index.close()
    return found


def until(true: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)


def summary(minutes: float, desk: Desk, weather: Weather, ingests: Counter[str]) -> str:
    def shown(counts: Counter[str]) -> str:
        return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))

    server = "vLLM's CPU build" if REAL else "the stand-in for vLLM"
    lines = [f"{minutes:.1f} minutes, seed {SEED}, {CLIENTS} clients, {server}", f"killed: {sum(desk.kills.values())}: {shown(desk.kills)}"]
    lines += [f"ingests: {shown(ingests)}", f"requests: {sum(weather.outcomes.values())}: {shown(weather.outcomes)}"]
    return "\n".join(["", *lines])
