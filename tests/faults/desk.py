"""The services of a recipe as a person runs them, through ./lorewright, and what a fault does to them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from lorewright import process, services
from lorewright.manifest import read_json
from tests.conftest import REPO


class Desk:
    """kills: how often what was killed."""

    def __init__(self, file: Path, runs: Path, ports: tuple[int, int]) -> None:
        self.file, self.runs, self.ports = file, runs, ports
        self.settings = os.environ | {"LOREWRIGHT_RUNS": str(runs)}
        self.kills: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    @property
    def collection(self) -> Path:
        return self.runs / "collections" / "world"

    def newest(self) -> Path:
        return (self.runs / "faults" / "latest" / "ingest").resolve()

    def lorewright(self, *words: str, right: bool = True) -> str:
        """What a command says; right: it has to end well."""
        done = subprocess.run(["./lorewright", *words], cwd=REPO, env=self.settings, capture_output=True, text=True, timeout=400)
        assert not right or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def ingesting(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["./lorewright", "ingest", str(self.file), *words], cwd=REPO, env=self.settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )  # fmt: skip

    def facts(self, name: str) -> dict[str, Any]:
        return dict(read_json(self.runs / "services" / f"{name}-{self.ports[name == 'rag']}.json") or {})

    def kill(self, name: str, which: str, draw: random.Random) -> None:
        """which: leader, one (of its processes), all."""
        facts = self.facts(name)
        alive = process.members(facts)
        assert alive, f"{name} does not run"
        chosen = {"leader": [int(facts["pid"])], "one": [draw.choice(alive)], "all": alive}[which]
        for pid in chosen:
            os.kill(pid, signal.SIGKILL)
        self.kills[f"{name}: {which}"] += 1
        if which == "one" and chosen[0] != int(facts["pid"]):
            time.sleep(0.5)  # vLLM's server ends when its engine has
        elif which != "one":
            wait(lambda: not process.leader_alive(facts), 10, f"{name} survives kill -9")

    def stats(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/stats", timeout=30, trust_env=False).json())

    def require_newest_taken_up(self) -> None:
        wait(lambda: self.stats()["index"] == self.newest().name, 30, "the proxy has not taken up the newest index")

    def own_processes(self) -> list[str]:
        """Everything that runs and was started for this test, ourselves apart."""
        mark, found = f"LOREWRIGHT_RUNS={self.runs}\0".encode(), []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(entry) != os.getpid() and mark in Path(f"/proc/{entry}/environ").read_bytes() + b"\0":
                    found.append(Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return [one for one in found if one]

    def left(self) -> dict[str, Any]:
        """What should not be there once all is stopped; empty when nothing is."""
        odd = [*self.collection.glob("*.partial"), *self.collection.glob("*.removed"), *self.collection.glob("*.vectors")]
        found = {
            "processes": self.own_processes(),
            "records": [path.name for path in (self.runs / "services").iterdir()],
            "ports": [port for port in self.ports if services.port_holder("127.0.0.1", port)],
            "beginnings": [path.name for path in odd],
        }
        return {what: names for what, names in found.items() if names}


def wait(true: Any, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
