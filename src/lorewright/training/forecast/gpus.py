"""The table of GPUs: ours in configs/hardware/gpus.yaml, and the user's own beside it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lorewright.envs import CHECKOUT, PACKAGE
from lorewright.errors import LorewrightError

TABLE = next((p for p in (PACKAGE / "hardware", CHECKOUT / "configs" / "hardware") if p.is_dir()), CHECKOUT) / "gpus.yaml"
NEEDED = ("memory_gib", "bandwidth_gb", "bf16_tflops")
# What the products of a training reach of the published rate: 742 of 989 TFLOP/s on an H200 (see speed.py).
REACHED = 0.75
_MAKER = re.compile(r"nvidia|geforce|tesla|generation|[^a-z0-9]")


@dataclass(frozen=True)
class Gpu:
    """memory: bytes. bandwidth: bytes a second of its memory. rate: floating-point operations a second in bfloat16. reached: of that."""

    name: str
    memory: float
    bandwidth: float
    rate: float
    reached: float = REACHED


def own_table() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "lorewright" / "gpus.yaml"


def gpus() -> dict[str, Gpu]:
    """Every GPU by its plain name, the user's own before ours. Raises LorewrightError for an entry that lacks a number."""
    found: dict[str, Gpu] = {}
    for file in (own_table(), TABLE):
        for name, facts in _read(file).items():
            gpu = _gpu(name, facts, file)
            for word in (name, *facts.get("also", ())):
                found.setdefault(plain(word), gpu)
    return found


def find_gpu(name: str) -> Gpu:
    """By any usual way to write its name: RTX 5090, rtx5090, NVIDIA GeForce RTX 5090.

    Raises LorewrightError with the nearest names.
    """
    known = gpus()
    if plain(name) in known:
        return known[plain(name)]
    names = {word: gpu.name for word, gpu in known.items()}
    inside = [names[word] for word in names if plain(name) and plain(name) in word]
    near = inside or [names[word] for word in difflib.get_close_matches(plain(name), names, n=4, cutoff=0.5)]
    meant = f"near to it: {', '.join(dict.fromkeys(near[:6]))}" if near else f"known are {', '.join(sorted(set(names.values())))}"
    raise LorewrightError(f"no GPU called {name!r} in the table", remedy=f"{meant}; a card of your own goes into {own_table()}")


def plain(name: str) -> str:
    """A name without the maker, blanks and case, as it is compared."""
    return _MAKER.sub("", name.lower())


def _read(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as problem:
        raise LorewrightError(f"no YAML: {str(problem).splitlines()[0]}", where=str(file)) from None
    if not isinstance(loaded, dict):
        raise LorewrightError("a table of GPUs maps names to their numbers", where=str(file), remedy=f"{TABLE.name} shows how")
    return loaded


def _gpu(name: str, facts: Any, file: Path) -> Gpu:
    wrong = [key for key in NEEDED if not isinstance(facts, dict) or not isinstance(facts.get(key), int | float) or facts[key] <= 0]
    if wrong:
        raise LorewrightError(f"{name}: {', '.join(wrong)} must be numbers above 0", where=str(file))
    return Gpu(
        str(name), facts["memory_gib"] * 2**30, facts["bandwidth_gb"] * 1e9, facts["bf16_tflops"] * 1e12, facts.get("reached", REACHED)
    )
