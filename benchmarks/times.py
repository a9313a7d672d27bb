#!/usr/bin/env python3
"""Times what a newcomer waits for: the command line, the quickstart and the tests, cold and warm. Standard library only.

    python3 benchmarks/times.py quick                --help, validate and the warm quickstart: seconds
    python3 benchmarks/times.py quick cold tests     also the quickstart in fresh clones without environments, and ./test.sh: half an hour

Prints a table of median, least and most seconds for each, and keeps it with the machine in benchmarks/results/times_*.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "benchmarks" / "results"
Row = tuple[str, list[float], float]


def timed(command: list[str], folder: Path = REPO, **variables: str) -> float:
    """Wall seconds of a command that must succeed."""
    begun = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - begun


def clone(folder: Path) -> Path:
    timed(["git", "clone", "-q", str(REPO), str(folder / "clone")])
    return folder / "clone"


def cold_quickstart() -> float:
    """In a fresh clone, with an empty environment cache and an empty download cache."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        return timed(
            ["./quickstart.sh"], clone(Path(folder)), XDG_CACHE_HOME=str(cache), UV_CACHE_DIR=str(cache / "uv"), LOREWRIGHT_RUNS=""
        )


def tests(*words: str) -> float:
    """In a fresh clone, environments ready."""
    with tempfile.TemporaryDirectory() as folder:
        return timed(["./test.sh", *words], clone(Path(folder)), LOREWRIGHT_RUNS="")


def quick() -> list[Row]:
    timed(["./quickstart.sh"])
    return [
        ("`./lorewright --help`", [timed(["./lorewright", "--help"]) for _ in range(5)], 0.3),
        (
            "`./lorewright validate configs/starter.yaml`",
            [timed(["./lorewright", "validate", "configs/starter.yaml"]) for _ in range(5)],
            0.8,
        ),
        ("`./quickstart.sh`, everything up to date", [timed(["./quickstart.sh"]) for _ in range(3)], 60),
    ]


def cold() -> list[Row]:
    return [("`./quickstart.sh`, fresh clone, no environments, no downloads kept", [cold_quickstart() for _ in range(3)], 360)]


def suite() -> list[Row]:
    return [
        ("`./test.sh --fast`, fresh clone, environments ready", [tests("--fast") for _ in range(3)], 60),
        ("`./test.sh`, fresh clone, environments ready", [tests() for _ in range(3)], 600),
    ]


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def table(rows: list[Row]) -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    machine = f"{os.cpu_count()} cores of an {processor()}, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
    lines = [f"{time.strftime('%Y-%m-%d')}, {machine}. Wall seconds.", ""]
    lines += ["| what | median | least | most | runs | to reach |", "|---|---|---|---|---|---|"]
    for what, seconds, limit in rows:
        middle = statistics.median(seconds)
        verdict = "met" if middle <= limit else "**missed**"
        spread = f"{middle:.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {len(seconds)}"
        lines.append(f"| {what} | {spread} | {limit:g}: {verdict} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=list(SETS), help="which to measure")
    for name in parser.parse_args().sets:
        text = f"## {name}\n\n{table(SETS[name]())}"
        print(text)
        RESULT.mkdir(parents=True, exist_ok=True)
        (RESULT / f"times_{name}.md").write_text(text, encoding="utf-8")


SETS: dict[str, Callable[[], list[Row]]] = {"quick": quick, "cold": cold, "tests": suite}

if __name__ == "__main__":
    main()
