"""lorewright doctor: what this machine has and what is missing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path

from lorewright import envs, extras
from lorewright.cli.arguments import add_runs
from lorewright.services import left_said, leftover, port_holder


def configure(verb: argparse.ArgumentParser) -> None:
    add_runs(verb)


def main(given: argparse.Namespace) -> int:
    """Exit code 1 when something stands in the way."""
    rows = [_python(), _disk(), _memory(), _accelerator(), _token(), *_environments(), *_ports(), *_leftovers(given.runs)]
    for good, name, text in rows:
        print(f"{'ok  ' if good else 'MEND'}  {name:<12} {text}")
    return 0 if all(good for good, _, _ in rows) else 1


def _python() -> tuple[bool, str, str]:
    return True, "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _disk() -> tuple[bool, str, str]:
    folder = envs.cache_root()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    wanted = sum(gib for name, gib in envs.DISK_GIB[envs.accelerator()].items() if not envs.locate(name).ready and name != "dev")
    enough = free >= wanted
    return (
        enough,
        "disk",
        f"{free:.0f} GiB free in {folder}, {wanted} GiB wanted for environments not built yet"
        + ("" if enough else "; free some, or point XDG_CACHE_HOME at a larger disk"),
    )


def _memory() -> tuple[bool, str, str]:
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return gib >= 6, "memory", f"{gib:.0f} GiB, {os.cpu_count()} processors" + ("" if gib >= 6 else "; the starter wants 6 GiB")


def _accelerator() -> tuple[bool, str, str]:
    if envs.accelerator() == "cpu":
        return True, "accelerator", "none found: the CPU builds are used (starter recipes; large models want an NVIDIA GPU)"
    command = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False, "accelerator", "the driver is there, but nvidia-smi does not answer; install the NVIDIA driver's tools"
    return done.returncode == 0, "accelerator", " | ".join((done.stdout or done.stderr).strip().splitlines())


def _token() -> tuple[bool, str, str]:
    known = bool(os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN"))
    return True, "hub token", "set" if known else "not set; only gated models need it (HF_TOKEN in the environment or .env)"


def _environments() -> list[tuple[bool, str, str]]:
    told = {"core": "", "train": "./lorewright envs build train", "serve": "./lorewright envs build serve"}
    beside = {"train": "".join(f"; with {extra.name} {extra.version}" for extra in extras.added().values())}
    return [
        (True, name, f"ready{beside.get(name, '')}" if envs.locate(name).ready else f"not built yet; built when needed, or now: {how}")
        for name, how in told.items()
    ]


def _ports() -> list[tuple[bool, str, str]]:
    rows = []
    for port in (8000, 8001):
        holder = port_holder("127.0.0.1", port)
        rows.append((True, f"port {port}", f"in use by {holder}" if holder else f"free on {socket.gethostname()}"))
    return rows


def _leftovers(runs: Path) -> list[tuple[bool, str, str]]:
    """What a crashed server left running: it holds memory, and the card's."""
    rows = []
    for record in sorted((runs / "services").glob("*.json")):
        facts, pids = leftover(record)
        if pids:
            rows.append((False, "left over", f"{left_said(facts, pids)}; end it: ./lorewright stop {facts['name']}"))
    return rows
