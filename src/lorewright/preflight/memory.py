"""The machine's memory: what is free for us, a container's limit counted in, and what loading the model takes."""

from __future__ import annotations

import re
from pathlib import Path

from lorewright.preflight.card import FALLS_BACK, loaded_bytes
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.preflight.model import Model
from lorewright.preflight.said import GIB, gib
from lorewright.preflight.wanted import Wanted

NAME = "memory"
PROCESS = 2 * GIB  # Python and torch, before any weight: the training of the starter, 17 million parameters, took 2.1 GiB in all
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def memory(wanted: Wanted, model: Model) -> Found:
    """On the processor the whole model lies here; on its way to a card one file of weights at a time."""
    if not wanted.on_card:
        return _for_processor(wanted, model)
    least = PROCESS + (loaded_bytes(wanted.config, model) if wanted.config.get("layer_offloading") else model.largest)
    free, total = free_and_total()
    said = f"{gib(free)} of {gib(total)} free, {gib(least)} wanted while the model is loaded"
    return good(NAME, said) if free >= least else warn(NAME, said, "close other programs")


def _for_processor(wanted: Wanted, model: Model) -> Found:
    least = loaded_bytes(wanted.config, model) + PROCESS
    free, total = free_and_total()
    said = f"{gib(free)} of {gib(total)} free, {gib(least)} wanted for the model and the trainer"
    if free >= least:
        return good(NAME, said)
    if least <= total:
        return warn(NAME, said, "close other programs")
    if wanted.helps_loading:
        return warn(NAME, said, FALLS_BACK)
    return bad(NAME, said, "load it in 4 bit (adapter: qlora, load_in_4bit: true), take a smaller base_model, or a machine with a card")


def free_and_total() -> tuple[int, int]:
    """Bytes that a new process may have, and that the machine or the container has; swap counts in the second."""
    found = {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", MEMINFO.read_text(encoding="utf-8"), re.MULTILINE)}
    free, total = found.get("MemAvailable", 0), found.get("MemTotal", 0) + found.get("SwapTotal", 0)
    limit, used = (_bytes(CGROUP / name) for name in ("memory.max", "memory.current"))
    if limit:
        # what its files hold in the cache is given back when memory is short
        cached = re.search(r"^inactive_file (\d+)$", _text(CGROUP / "memory.stat"), re.MULTILINE)
        free, total = min(free, limit - (used or 0) + (int(cached[1]) if cached else 0)), min(total, limit)
    return free, total


def _bytes(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
