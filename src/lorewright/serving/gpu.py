"""What nvidia-smi knows: the cards of this machine, how full they are, and which processes hold their memory."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright import services
from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.process import members


@dataclass(frozen=True)
class Card:
    """total, free: MiB. driver: its version. capability: the compute capability, 0 where nvidia-smi does not tell."""

    number: str
    uuid: str
    name: str
    total: int
    free: int
    driver: str = ""
    capability: float = 0.0


@dataclass(frozen=True)
class Tenant:
    """A process that holds memory of a card. held: MiB."""

    card: str
    pid: int
    name: str
    held: int


def cards() -> list[Card]:
    """The cards of this machine; none where nvidia-smi does not answer."""
    asked = "--query-gpu=index,uuid,name,memory.total,memory.free,driver_version"
    rows = _rows(f"{asked},compute_cap") or _rows(asked)  # an old driver's does not know the last one
    return [
        Card(row[0], row[1], row[2], _number(row[3]), _number(row[4]), row[5] if len(row) > 5 else "", _decimal(row[6:]))
        for row in rows
        if len(row) >= 5
    ]


def drawn(uuids: Sequence[str]) -> list[tuple[float | None, int]]:
    """(watts, bytes in use) of these cards; None for watts that the driver does not tell, nothing where it does not answer for all."""
    if not uuids:
        return []
    rows = {row[0]: row for row in _rows("--query-gpu=uuid,power.draw,memory.used") if len(row) == 3}
    return [(_watts(rows[uuid][1]), _number(rows[uuid][2]) * 2**20) for uuid in uuids] if set(uuids) <= set(rows) else []


def _watts(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() else None


def holders() -> dict[int, int]:
    """Process number -> MiB of card memory that it holds."""
    rows = _rows("--query-compute-apps=pid,used_memory")
    return {int(row[0]): _number(row[1]) for row in rows if len(row) == 2 and row[0].isdigit()}


def tenants() -> list[Tenant]:
    """Who holds card memory. In a container, or on WSL, nvidia-smi may name nobody though memory is held."""
    rows = _rows("--query-compute-apps=gpu_uuid,pid,process_name,used_memory")
    return [Tenant(row[0], int(row[1]), ", ".join(row[2:-1]), _number(row[-1])) for row in rows if len(row) >= 4 and row[1].isdigit()]


def trouble() -> str:
    """Why nvidia-smi does not answer, in its own first line; empty where it does."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        return "there is no nvidia-smi"
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"nvidia-smi does not answer ({type(problem).__name__})"
    return (
        next(iter((done.stdout + done.stderr).strip().splitlines()), f"nvidia-smi ends with {done.returncode}") if done.returncode else ""
    )


def _decimal(row: list[str]) -> float:
    """The first field as a number; 0 where there is none."""
    return float(row[0]) if row and re.fullmatch(r"\d+(\.\d+)?", row[0]) else 0.0


def _number(text: str) -> int:
    """Cards of some machines say [N/A]."""
    return int(text) if text.isdigit() else 0


def _rows(query: str) -> list[list[str]]:
    try:
        done = subprocess.run(["nvidia-smi", query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [[part.strip() for part in line.split(",")] for line in done.stdout.splitlines()] if done.returncode == 0 else []


def visible(accelerator: str) -> tuple[str, ...]:
    """The cards that a tool started from here would see, by UUID, in its order; empty on a machine without."""
    if accelerator != "cuda":
        return ()
    known = cards()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(card.uuid for card in known) or ("0",)
    names = {card.number: card.uuid for card in known} | {card.uuid: card.uuid for card in known}
    return tuple(names.get(word, word) for word in map(str.strip, chosen.split(",")) if word and word != "-1")


def for_training(accelerator: str, devices: int | str) -> tuple[str, ...]:
    """Of the visible cards those that a training takes. devices: as `train.devices` has it."""
    known = visible(accelerator)
    return known if devices == "all" else known[: int(devices)]


def cards_for_training(accelerator: str, devices: int | str) -> list[Card]:
    """The same, as nvidia-smi describes them; without those that it does not name."""
    known = {card.uuid: card for card in cards()}
    return [known[uuid] for uuid in for_training(accelerator, devices) if uuid in known]


def check_released(pids: Iterable[int], patience: float = 10.0) -> None:
    """Waits until ended processes hold no card memory any more. Raises LorewrightError when they still do."""
    wanted = set(pids)
    deadline = time.monotonic() + patience
    while held := {pid: size for pid, size in holders().items() if pid in wanted}:
        if time.monotonic() > deadline:
            said = ", ".join(f"pid {pid} with {size} MiB" for pid, size in held.items())
            raise LorewrightError(f"the card's memory is still held by {said}", remedy="look at it with nvidia-smi; kill -9 ends it")
        time.sleep(0.3)


def stop_and_release(record: Path) -> bool:
    """Ends a service with all it started, and sees that its port and its card memory are free. True when there was something.

    Raises LorewrightError when one of them stays held.
    """
    facts = read_json(record)
    pids = members(facts) if facts else []
    ran = services.stop_service(record)
    if ran:
        check_released(pids)
    return ran
