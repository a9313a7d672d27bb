"""The difference of two runs, for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lorewright.history.compare import ABSENT, Change, Difference

SHOWN = 25  # so many changes of a group are told
WIDE = 60  # so many characters of a value
WIDEST = 36  # of the column of keys
BYTES = "_bytes"


def lines(titles: tuple[str, str], found: Difference, notes: Mapping[str, list[str]]) -> Iterator[str]:
    """titles: the older and the newer run in a line each. notes: group -> lines beneath its changes."""
    yield f"- {titles[0]}"
    yield f"+ {titles[1]}"
    for group, changed in found.changed.items():
        yield ""
        yield group
        wide = min(WIDEST, max(len(_name(change.key)) for change in changed[:SHOWN]))
        for change in changed[:SHOWN]:
            yield from _change(change, wide, share=group not in ("recipe", "versions", "hardware"))
        if len(changed) > SHOWN:
            yield f"  … and {len(changed) - SHOWN} more; --json tells all"
        yield from (f"  {note}" for note in notes.get(group, []))
    yield ""
    if not found.changed:
        yield f"the two runs are equal in all that is known of them: {', '.join(found.equal)}"
    elif found.equal:
        yield f"equal: {', '.join(found.equal)}"
    else:
        yield "equal: nothing of these"


def _change(change: Change, wide: int, *, share: bool) -> Iterator[str]:
    name = _name(change.key).ljust(wide)
    if isinstance(change.old, list) and isinstance(change.new, list):
        yield f"  {name.rstrip()}"
        yield from (f"    - {_value(change.key, item)}" for item in change.old if item not in change.new)
        yield from (f"    + {_value(change.key, item)}" for item in change.new if item not in change.old)
        if sorted(map(str, change.old)) == sorted(map(str, change.new)):
            yield "    in another order"
    elif change.old is ABSENT:
        yield f"  {name}  only now: {_value(change.key, change.new)}"
    elif change.new is ABSENT:
        yield f"  {name}  no more: {_value(change.key, change.old)}"
    else:
        old, new = _apart(_value(change.key, change.old, None), _value(change.key, change.new, None))
        yield f"  {name}  {old} → {new}{_percent(change) if share else ''}"


def _name(key: str) -> str:
    return key.removesuffix(BYTES)


def _value(key: str, value: Any, wide: int | None = WIDE) -> str:
    """A value on one line. wide: characters, None for all."""
    if isinstance(value, Mapping):
        return f"{len(value)} keys ({_clipped(', '.join(map(str, value)), WIDE)})"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40,64}", value):
        return value[:12]
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if key.endswith(BYTES) and isinstance(value, int | float):
        return f"{value / 2**30:.2f} GiB"
    if isinstance(value, int | float):
        return f"{value:,}" if abs(value) >= 10_000 else f"{value:.4g}" if isinstance(value, float) else str(value)
    text = " ".join(str(value).split())
    return _clipped(text, wide) if wide else text


def _clipped(text: str, wide: int) -> str:
    return text if len(text) <= wide else f"{text[: wide - 1]}…"


def _apart(old: str, new: str) -> tuple[str, str]:
    """Two long texts are shown from shortly before the place where they part."""
    if max(len(old), len(new)) <= WIDE:
        return old, new
    same = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))
    begin = max(0, same - WIDE // 3)
    before = "…" if begin else ""
    return before + _clipped(old[begin:], WIDE), before + _clipped(new[begin:], WIDE)


def _percent(change: Change) -> str:
    old, new = change.old, change.new
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))
    return f"  ({(new - old) / abs(old):+.1%})" if numbers and old else ""
