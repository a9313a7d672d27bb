"""The whole line with real parts, run once: ./quickstart.sh into a folder of its own, then the proxy left running."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPO, free_port


@dataclass(frozen=True)
class Line:
    """runs: where the results lie. ports: of vLLM and of the proxy. first, second: what the two quickstarts printed."""

    runs: Path
    ports: tuple[int, int]
    first: str
    second: str

    def latest(self, stage: str) -> Path:
        return (self.runs / "starter" / "latest" / stage).resolve()

    def url(self, which: int) -> str:
        return f"http://127.0.0.1:{self.ports[which]}"


def call(*words: str, runs: Path) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"LOREWRIGHT_RUNS": str(runs), "LOREWRIGHT_ACCELERATOR": "cpu"}
    return subprocess.run(words, cwd=REPO, env=settings, capture_output=True, text=True, timeout=900)


def overrides(ports: tuple[int, int]) -> list[str]:
    return ["--set", f"serve.port={ports[0]}", "--set", f"rag.port={ports[1]}"]


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    runs, ports = tmp_path_factory.mktemp("line") / "runs with a space", (free_port(), free_port())
    outputs = []
    for _ in range(2):
        done = call("./quickstart.sh", *overrides(ports), runs=runs)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout + done.stderr)
    return Line(runs, ports, *outputs)


@pytest.fixture(scope="session")
def served(line: Line) -> Iterator[Line]:
    """vLLM and the proxy running, as `./serve_rag_proxy.sh` leaves them."""
    done = call("./serve_rag_proxy.sh", "configs/starter.yaml", *overrides(line.ports), runs=line.runs)
    try:
        assert done.returncode == 0, done.stderr
        yield line
    finally:
        stopped = call("./lorewright", "stop", runs=line.runs)
        assert stopped.returncode == 0, stopped.stderr
