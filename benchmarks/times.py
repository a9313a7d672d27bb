#!/usr/bin/env python3
"""Times what a newcomer waits for: the command line, the quickstart and the tests, cold and warm. Standard library only.

    python3 benchmarks/times.py                      --help, validate and the warm quickstart: seconds
    python3 benchmarks/times.py --cold --tests       also the quickstart in fresh clones without environments, and ./test.sh: up to an hour

Prints a table of median, least and most seconds, and writes it with the machine to benchmarks/results/times.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "benchmarks" / "results" / "times.md"
Row = tuple[str, list[float], float]


def timed(command: list[str], folder: Path = REPO, **variables: str) -> float:
    """Wall seconds of a command that must succeed."""
    begun = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - begun


def cold_quickstart() -> float:
    """In a fresh clone, with an empty environment cache and an empty download cache."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        timed(["git", "clone", "-q", str(REPO), str(clone)])
        cache = Path(folder) / "cache"
        seconds = timed(["./quickstart.sh"], clone, XDG_CACHE_HOME=str(cache), UV_CACHE_DIR=str(cache / "uv"), LOREWRIGHT_RUNS="")
        shutil.rmtree(cache)
        return seconds


def measure(cold: bool, tests: bool) -> list[Row]:
    """(what, seconds of each run, what it must reach)"""
    timed(["./quickstart.sh"])
    rows: list[Row] = [
        ("`./lorewright --help`", [timed(["./lorewright", "--help"]) for _ in range(5)], 0.3),
        (
            "`./lorewright validate configs/starter.yaml`",
            [timed(["./lorewright", "validate", "configs/starter.yaml"]) for _ in range(5)],
            0.8,
        ),
        ("`./quickstart.sh`, everything up to date", [timed(["./quickstart.sh"]) for _ in range(3)], 60),
    ]
    if cold:
        rows.append(("`./quickstart.sh`, fresh clone, no environments, no downloads kept", [cold_quickstart() for _ in range(3)], 360))
    if tests:
        rows.append(("`./test.sh --fast`, environments ready", [timed(["./test.sh", "--fast"]) for _ in range(3)], 60))
        rows.append(("`./test.sh`, environments ready", [timed(["./test.sh"]) for _ in range(3)], 600))
    return rows


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
    parser.add_argument("--cold", action="store_true", help="also three quickstarts from nothing")
    parser.add_argument("--tests", action="store_true", help="also three times ./test.sh --fast and ./test.sh")
    given = parser.parse_args()
    text = table(measure(given.cold, given.tests))
    print(text)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(f"# How long a newcomer waits\n\nMade by `python3 benchmarks/times.py --cold --tests`.\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
