"""What the schema cannot say of the out-of-memory ladder: a step is one thing, and some keys are ours there too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lorewright.recipe.source import KeyPath


def ladder_problems(steps: Any, owned: Mapping[str, str]) -> Iterator[tuple[KeyPath, str]]:
    """(place, problem) for train.on_out_of_memory as it was written. owned: Axolotl's keys that lorewright writes itself, and why."""
    for number, item in enumerate(steps if isinstance(steps, list) else []):
        if not isinstance(item, dict):
            continue
        named, at = [str(key) for key in item if key != "axolotl"], ("train", "on_out_of_memory", number)
        if len(named) > 1:
            yield at, f"{' and '.join(named)} are {len(named)} steps; write each as an entry of its own"
        elif not named:
            yield at, "names no step; for example {rank: 16}"
        elif "axolotl" in item and named != ["fallback_model"]:
            yield at, "axolotl stands beside fallback_model only"
        keys = item.get("axolotl")
        for key in sorted(owned.keys() & keys.keys()) if isinstance(keys, dict) else ():
            yield (*at, "axolotl", key), f"belongs to lorewright; {owned[key]}"
