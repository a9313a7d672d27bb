"""lorewright doctor [RECIPE]: what this machine has, what is missing, and whether a recipe's training can begin."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from lorewright import envs, extras, preflight
from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.plan import Paths, make_plan
from lorewright.preflight import BAD, OK, WARN, Found
from lorewright.services import left_said, leftover, port_holder

WORDS = {OK: "ok", BAD: "MEND"}
LEAST = 6  # GiB of memory for the starter


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb, optional=True)
    verb.add_argument("--json", action="store_true", help="what was found, as JSON")


def main(given: argparse.Namespace) -> int:
    """Exit code 1 when something stands in the way."""
    found = [*_machine(given)]
    if given.recipe:
        recipe = recipe_of(given)
        found += preflight.of_recipe(recipe, make_plan(recipe), Paths(given.runs.absolute(), recipe.name), envs.accelerator())
    else:
        found += preflight.of_machine(envs.accelerator())
    ready = all(one.state != BAD for one in found)
    print(
        json.dumps({"ready": ready, "checks": [asdict(one) for one in found]}, indent=1, ensure_ascii=False) if given.json else _said(found)
    )
    return 0 if ready else 1


def _said(found: Sequence[Found]) -> str:
    rows = [f"{WORDS.get(one.state, one.state):<5} {one.name:<12} {one.text}" for one in found]
    return "\n".join([*rows, "", _closing(found)])


def _closing(found: Sequence[Found]) -> str:
    """How many lines want an eye, since there are many."""
    bad, warned = (sum(one.state == state for one in found) for state in (BAD, WARN))
    parts = [f"{bad} to mend"] if bad else []
    parts += [f"{warned} warning{'s' if warned > 1 else ''}"] if warned else []
    return ", ".join(parts) or "all is well"


def _machine(given: argparse.Namespace) -> Iterator[Found]:
    yield Found(OK, "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    room = _room_for_environments()
    if not given.recipe:
        yield from (room, _memory())
    elif room.state == BAD:
        yield room
    if envs.accelerator() == "cpu":
        yield Found(OK, "accelerator", "none found: the CPU builds are used (starter recipes; large models want an NVIDIA GPU)")
    yield _token()
    yield from _environments()
    yield from _ports()
    yield from _leftovers(given.runs)


def _room_for_environments() -> Found:
    folder = envs.cache_root()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    wanted = sum(gib for name, gib in envs.DISK_GIB[envs.accelerator()].items() if not envs.locate(name).ready and name != "dev")
    said = f"{free:.0f} GiB free in {folder}, {wanted} GiB wanted for environments not built yet"
    enough = free >= wanted
    return Found(OK if enough else BAD, "disk", said, "" if enough else "free some, or point XDG_CACHE_HOME at a larger disk")


def _memory() -> Found:
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    said = f"{gib:.0f} GiB, {os.cpu_count()} processors"
    return Found(OK, "memory", said) if gib >= LEAST else Found(BAD, "memory", said, f"the starter wants {LEAST} GiB")


def _token() -> Found:
    place = preflight.token_from()
    return Found(OK, "hub token", f"in {place}" if place else "not set; only gated models need it (HF_TOKEN in the environment or .env)")


def _environments() -> Iterator[Found]:
    told = {"core": "", "train": "./lorewright envs build train", "serve": "./lorewright envs build serve"}
    beside = {"train": "".join(f"; with {extra.name} {extra.version}" for extra in extras.added().values())}
    for name, how in told.items():
        ready = f"ready{beside.get(name, '')}"
        yield Found(OK, name, ready if envs.locate(name).ready else f"not built yet; built when needed, or now: {how}")


def _ports() -> Iterator[Found]:
    for port in (8000, 8001):
        holder = port_holder("127.0.0.1", port)
        yield Found(OK, f"port {port}", f"in use by {holder}" if holder else f"free on {socket.gethostname()}")


def _leftovers(runs: Path) -> Iterator[Found]:
    """What a crashed server left running: it holds memory, and the card's."""
    for record in sorted((runs / "services").glob("*.json")):
        facts, pids = leftover(record)
        if pids:
            yield Found(BAD, "left over", left_said(facts, pids), f"end it: ./lorewright stop {facts['name']}")
