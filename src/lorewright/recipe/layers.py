"""Layers of a recipe: the file, what it extends, and --set on top.

Mappings merge, lists and values are replaced. null in place of a mapping or a list takes it away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.recipe.source import KeyPath, Mark, Source, read_source, read_value


def read_layers(path: Path, overrides: tuple[str, ...] = ()) -> Source:
    """The recipe with everything it extends laid under it and the overrides (`a.b=value`) on top."""
    source = _with_bases(path, str(path), ())
    for override in overrides:
        _apply(source, override)
    return source


def _with_bases(path: Path, shown: str, below: tuple[Path, ...]) -> Source:
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        real = path.absolute()  # reading it says what is wrong
    if real in below:
        chain = " -> ".join(p.name for p in (*below[below.index(real) :], real))
        raise LorewrightError(f"extends itself: {chain}", where=shown, remedy="take one `extends:` out")
    source = read_source(real, shown)
    base = source.values.get("extends")
    if not isinstance(base, str) or not base:
        return source
    mark = source.marks[("extends",)]
    base_path = real.parent / base
    if not base_path.exists() and not base_path.is_symlink():
        raise LorewrightError(f"extends {base!r}, which is not there", where=mark.text, remedy="the path is relative to this file")
    return _overlay(_with_bases(base_path, _shown_beside(shown, base), (*below, real)), source)


def _shown_beside(shown: str, base: str) -> str:
    return str(Path(shown).parent / base)


def _overlay(base: Source, top: Source) -> Source:
    marks = dict(base.marks)
    for at in top.marks:
        replaced = not isinstance(_get(top.values, at), dict) or not isinstance(_get(base.values, at), dict)
        if at and replaced:
            marks = {key: mark for key, mark in marks.items() if key[: len(at)] != at}
    return Source(_merged(base.values, top.values), marks | top.marks, base.problems + top.problems)


def _merged(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in top.items():
        below = result.get(key)
        if value is None and isinstance(below, dict | list):
            del result[key]
        elif isinstance(value, dict) and isinstance(below, dict):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


def _get(values: Any, at: KeyPath) -> Any:
    for part in at:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _apply(source: Source, override: str) -> None:
    place = f"--set {override}"
    name, equals, text = override.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise LorewrightError("is not of the form key=value", where=place, remedy="for example --set axolotl.learning_rate=1e-4")
    if keys[0] == "extends":
        raise LorewrightError("extends is read before --set", where=place, remedy="write it into the recipe")
    value = read_value(text, place, source)
    at = source.values
    for depth, key in enumerate(keys[:-1]):
        below = at.setdefault(key, {})
        if not isinstance(below, dict):
            raise LorewrightError(f"{'.'.join(keys[: depth + 1])} is a single value, nothing can be set in it", where=place)
        at = below
    if value is None and isinstance(at.get(keys[-1]), dict | list):
        del at[keys[-1]]
    else:
        at[keys[-1]] = value
    for mark in [m for m in source.marks if m[: len(keys)] == keys]:
        del source.marks[mark]
    for depth in range(1, len(keys) + 1):
        source.marks.setdefault(keys[:depth], Mark(None, place))
