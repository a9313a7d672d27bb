"""What the ladder remembers beside the adapter: the steps taken, what was asked and what was used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lorewright.manifest import read_json, write_json
from lorewright.recipe import Rung
from lorewright.training.ladder import Taken, applied

RECORD = "out_of_memory.json"


def write(folder: Path, asked: Mapping[str, Any], taken: Sequence[Taken], *, clear: bool) -> None:
    """clear: what lies in the folder belongs to another configuration, and is still to be taken away."""
    used, keys = applied(asked, taken), sorted({key for step in taken for key in step.after})
    record = {
        "asked": {key: asked.get(key) for key in keys}, "used": {key: used.get(key) for key in keys},
        "taken": [asdict(step) for step in taken], "clear": clear,
    }  # fmt: skip
    write_json(folder / RECORD, record)


def read(folder: Path, rungs: Sequence[Rung]) -> tuple[tuple[Taken, ...], bool]:
    """(the steps an interrupted training had taken, whether the folder is still to be cleared).

    rungs: the recipe's steps now. What it does not allow any more is not taken, nor what came after.
    """
    record = read_json(folder / RECORD) or {"taken": [], "clear": False}
    taken = [Taken(**step) for step in record["taken"]]
    allowed = 0
    while allowed < len(taken) and _allowed(taken[allowed], rungs):
        allowed += 1
    return tuple(taken[:allowed]), record["clear"] or any(step.anew for step in taken[allowed:])


def _allowed(taken: Taken, rungs: Sequence[Rung]) -> bool:
    return any(rung.step == taken.step for rung in rungs)


def trained_model(folder: Path, asked: str) -> str:
    """The base model that a finished training used: a fallback model, or the one that was asked for."""
    record = read_json(folder / RECORD) or {"used": {}}
    name, revision = record["used"].get("base_model"), record["used"].get("revision_of_model")
    return f"{name}@{revision}" if name and revision else name or asked
