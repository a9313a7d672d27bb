"""DeepSpeed's file becomes part of the recipe when it is read: a training depends on what stands in it, not on where it lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lorewright.recipe.source import KeyPath, Mark

ZERO: KeyPath = ("axolotl", "deepspeed")


def zero_read(values: dict[str, Any], full: Callable[[str], Path], marks: Mapping[KeyPath, Mark]) -> Iterator[str]:
    """Puts the content of the file that axolotl.deepspeed names in its place; gives the problem where it cannot be read.

    full: from a path as the recipe has it to the file.
    """
    axolotl = values.get("axolotl")
    named = axolotl.get("deepspeed") if isinstance(axolotl, dict) else None
    if not isinstance(named, str) or not named:
        return
    place = f"{marks[ZERO].text}: axolotl.deepspeed: {named}"
    try:
        content = json.loads(full(named).read_text(encoding="utf-8"))
    except OSError:
        yield f"{place}: no such file; paths are relative to the recipe, and configs/deepspeed/ holds zero1, zero2 and zero3"
        return
    except ValueError as problem:
        yield f"{place}: not JSON: {problem}"
        return
    if isinstance(content, dict):
        values["axolotl"] = axolotl | {"deepspeed": content} if axolotl else axolotl
    else:
        yield f"{place}: expected DeepSpeed's settings as a mapping"
