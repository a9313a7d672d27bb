"""What one request says about its lore: the field `lore`, which never reaches the model server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorewright.rag.api_error import ApiError

SWITCH: dict[Any, bool] = {True: True, "on": True, False: False, "off": False}
FILTERS = ("categories", "sources", "tags")
MOST = 50  # passages, as in the recipe; also filters of a kind, a hundred characters each


@dataclass(frozen=True)
class LoreControl:
    """wanted: whether passages are looked for. asked: the request says so itself. top_k: None for the recipe's. Empty filters: all."""

    wanted: bool = True
    asked: bool = False
    top_k: int | None = None
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def changes(self) -> dict[str, Any]:
        """For dataclasses.replace on the recipe's search."""
        filters = {name: getattr(self, name) for name in FILTERS}
        return filters | ({} if self.top_k is None else {"top_k": self.top_k})


def read_control(given: Any) -> LoreControl:
    """given: true, false, "on", "off", null for the default, or an object. Raises ApiError 400."""
    if given is None:
        return LoreControl()
    if isinstance(given, Mapping):
        return _read_object(given)
    if not isinstance(given, (bool, str)) or given not in SWITCH:
        raise _wrong('lore must be true, false, "on", "off" or an object with top_k, categories, sources, tags')
    return LoreControl(SWITCH[given], asked=True)


def _read_object(given: Mapping[str, Any]) -> LoreControl:
    for name in given:
        if name not in ("top_k", *FILTERS):
            raise _wrong("lore takes top_k, categories, sources and tags, nothing else")
    top_k = whole_number(given.get("top_k"))
    if given.get("top_k") is not None and (top_k is None or not 1 <= top_k <= MOST):
        raise _wrong(f"lore.top_k must be a whole number from 1 to {MOST}")
    return LoreControl(True, True, top_k, *(_words(given, name) for name in FILTERS))


def whole_number(value: Any) -> int | None:
    """A number of JSON that is whole, also when it is written as 5.0; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value == value // 1 else None


def _words(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    words = given.get(name)
    if words is None:
        return ()
    if not isinstance(words, list) or len(words) > MOST or not all(isinstance(word, str) and 0 < len(word) <= 100 for word in words):
        raise _wrong(f"lore.{name} must be a list of at most {MOST} names")
    # Half a surrogate pair can stand in JSON, and in no index.
    return tuple(word.encode("utf-8", "replace").decode() for word in words)


def _wrong(message: str) -> ApiError:
    return ApiError(400, message, param="lore")
