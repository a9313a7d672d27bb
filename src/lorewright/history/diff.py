"""Two runs side by side."""

from __future__ import annotations

from typing import Any

from lorewright.history.compare import ABSENT, Difference, compare
from lorewright.history.kept import Kept
from lorewright.history.told import as_written, groups, packages


def difference(old: Kept, new: Kept) -> tuple[Difference, dict[str, list[str]]]:
    """What differs, and what is to be said beneath a group."""
    before, after = groups(old), groups(new)
    if as_written(old) == as_written(new):  # wherever its file lay
        before["recipe"] = after["recipe"]
    found = compare(before, after)
    return found, {"versions": list(_packages(old, new, found))}


def as_json(old: Kept, new: Kept, found: Difference, notes: dict[str, list[str]]) -> dict[str, Any]:
    """Everything, for scripts."""
    return {
        "old": _head(old), "new": _head(new), "equal": list(found.equal), "packages": notes["versions"],
        "changed": {group: [change.as_json() for change in changed] for group, changed in found.changed.items()},
    }  # fmt: skip


def _head(kept: Kept) -> dict[str, Any]:
    return {"recipe": kept.home.name, "run": kept.run, "manifest": str(kept.file)} | {
        key: kept.record.get(key) for key in ("status", "started", "ended")
    }


def _packages(old: Kept, new: Kept, found: Difference) -> list[str]:
    """Where an environment is another one, which of its packages are: as far as both are still on this machine."""
    said = []
    for change in found.changed.get("versions", ()):
        name = change.key.removeprefix("environment ")
        if name == change.key or ABSENT in (change.old, change.new):
            continue
        before, after = packages(f"{name}-{change.old}"), packages(f"{name}-{change.new}")
        if not before or not after:
            said.append(f"which packages of {name} differ is not known: {change.old if not before else change.new} is not on this machine")
            continue
        pairs = [(key, before.get(key, "none"), after.get(key, "none")) for key in sorted(before | after)]
        said += [f"{name}: {key} {one} → {other}" for key, one, other in pairs if one != other]
    return said
