"""What the stages before left of their work: removals and refused sources. Each is read where it is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = 3


@dataclass(frozen=True)
class Kind:
    """Removals of one kind. shown: (document, text) of a few."""

    name: str
    count: int
    characters: int
    shown: tuple[tuple[str, str], ...]


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    """A log that a kill may have cut: what is no JSON mapping is passed over."""
    if not file.exists():
        return
    with open(file, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def removals(folder: Path) -> list[Kind]:
    """removals.jsonl by kind, the commonest first."""
    counts, characters = Counter[str](), Counter[str]()
    shown: dict[str, list[tuple[str, str]]] = {}
    for entry in _lines(folder / "removals.jsonl"):
        kind, text = str(entry.get("kind", "other")), str(entry.get("text", ""))
        counts[kind] += int(entry.get("times", 1))
        characters[kind] += int(entry.get("characters", len(text)))
        if text.strip() and len(shown.setdefault(kind, [])) < EXAMPLES:
            shown[kind].append((str(entry.get("document", "")), text))
    return [Kind(kind, number, characters[kind], tuple(shown.get(kind, ()))) for kind, number in counts.most_common()]


def refused(folder: Path) -> list[tuple[str, str]]:
    """(source, reason) of extracted.jsonl's refusals; a later line about a source replaces an earlier one."""
    last = {str(entry.get("source") or entry.get("name", "")): entry for entry in _lines(folder / "extracted.jsonl")}
    return [(str(entry.get("name", "")), str(entry["refused"])) for entry in last.values() if entry.get("refused")]
