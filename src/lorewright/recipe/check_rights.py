"""What the schema cannot say of `data.rights`: it speaks of the recipe's own sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from lorewright.recipe.source import KeyPath


def rights_problems(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    rights, given = data.get("rights"), data.get("sources")
    sources = [source for source in given if isinstance(source, str)] if isinstance(given, list) else []
    for name in rights if isinstance(rights, dict) else ():
        if name not in sources:
            near = get_close_matches(str(name), sources, 1)
            hint = f"did you mean {near[0]}?" if near else "write it as it stands there"
            yield ("data", "rights", name), f"is none of data.sources; {hint}"
