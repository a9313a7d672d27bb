"""What changed between two runs: pure, from their groups of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absent(Enum):
    """Stands for a key that is not there: null is a value."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class Change:
    """One value that differs. key: its path in the group. old, new: ABSENT where the run has none."""

    key: str
    old: Any
    new: Any

    def as_json(self) -> dict[str, Any]:
        both = {"old": self.old, "new": self.new}
        return {"key": self.key} | {name: value for name, value in both.items() if value is not ABSENT}


@dataclass(frozen=True)
class Difference:
    """changed: group -> its changes, without groups that are equal. equal: the groups that both runs have alike."""

    changed: Mapping[str, tuple[Change, ...]]
    equal: tuple[str, ...]


def compare(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> Difference:
    """old, new: group -> key -> value. A group that neither has is not told."""
    found = {group: tuple(changes(old[group], new[group])) for group in old if old[group] or new[group]}
    return Difference({group: some for group, some in found.items() if some}, tuple(group for group, some in found.items() if not some))


def changes(old: Mapping[str, Any], new: Mapping[str, Any], above: str = "") -> Iterator[Change]:
    """Every value that differs, in the order of the older one's keys; a mapping that only one has is one change."""
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from changes(before, after, f"{above}{key}.")
        elif before != after or isinstance(before, bool) != isinstance(after, bool):
            yield Change(f"{above}{key}", before, after)
