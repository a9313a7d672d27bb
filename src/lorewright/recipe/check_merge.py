"""Checks which state of an adapter a recipe wants merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lorewright.recipe.source import KeyPath

BEST = "best"


def is_path(checkpoint: object) -> bool:
    return isinstance(checkpoint, str) and (checkpoint.startswith((".", "~")) or "/" in checkpoint)


def merge_problems(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    part, serve = values.get("merge"), values.get("serve")
    checkpoint = part.get("checkpoint") if isinstance(part, dict) else None
    at = ("merge", "checkpoint")
    if isinstance(checkpoint, str) and checkpoint != BEST and not is_path(checkpoint):
        yield at, f"{checkpoint} is neither a step, {BEST} nor a folder (./{checkpoint} for a folder beside the recipe)"
    if checkpoint is not None and values.get("axolotl") is None:
        yield at, "the recipe trains nothing, so nothing is merged"
    elif checkpoint is not None and isinstance(serve, dict) and (serve.get("live") or serve.get("adapters")):
        yield at, "serve.live and serve.adapters serve nothing merged; name the checkpoint's folder in serve.adapters"
