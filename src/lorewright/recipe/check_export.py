"""What the schema cannot say of `export`: llama.cpp's types, and whether what is exported may be given away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from lorewright.recipe.export import is_private
from lorewright.recipe.gguf_types import TYPES, WITH_MATRIX
from lorewright.recipe.source import KeyPath

OLLAMA = re.compile(r"(?:[\w.-]+/)?[\w.-]+(?::[\w.-]+)?", re.ASCII)


def export_problems(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    export = values.get("export")
    if not isinstance(export, dict):
        return
    given = export.get("gguf", ())
    for name in [given] if isinstance(given, str) else given if isinstance(given, list) else ():
        if isinstance(name, str) and name.upper() not in TYPES:
            yield ("export", "gguf"), _unknown(name)
    name = export.get("ollama")
    if isinstance(name, str) and not OLLAMA.fullmatch(name):
        yield ("export", "ollama"), f"{name} is no name for Ollama: letters, digits, - _ and ., as in my-voice or me/my-voice:7b"
    if values.get("axolotl") is None and not export.get("model"):
        yield ("export",), "the recipe trains nothing, so nothing is merged; name a model's folder with export.model"
    yield from _private(values, export)


def _unknown(name: str) -> str:
    if name.upper() in WITH_MATRIX:
        return f"{name} needs an importance matrix, which is not made here; choose a larger type, such as IQ3_M or Q3_K_S"
    near = get_close_matches(name.upper(), TYPES, 1)
    return f"{name} is no type of llama.cpp's; {f'did you mean {near[0]}? ' if near else ''}there are {', '.join(TYPES)}"


def _private(values: Mapping[str, Any], export: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    data = values.get("data")
    rights = data.get("rights") if isinstance(data, dict) else None
    for source, note in rights.items() if isinstance(rights, dict) else ():
        if isinstance(note, str) and is_private(note) and export.get("include_private") is not True:
            what = "is marked private, and what is exported is made to be given away"
            yield ("data", "rights", source), f"{what}; leave export: out, or set export.include_private: true"
