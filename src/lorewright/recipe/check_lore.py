"""What the schema cannot say of `rag`: keys that bound each other, and the fields of the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from lorewright.recipe.source import KeyPath

FIELDS: dict[str, str | int] = {"number": 1, "source": "", "category": "", "title": "", "heading": "", "text": ""}


def lore_problems(rag: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    words, again = rag.get("chunk_words", 180), rag.get("chunk_overlap", 0)
    if isinstance(words, int) and isinstance(again, int) and again * 2 > words:
        yield ("rag", "chunk_overlap"), f"must be at most half of rag.chunk_words ({words}), got {again}"
    template = rag.get("template")
    wrong = _template_problem(template) if isinstance(template, str) else None
    if wrong:
        yield ("rag", "template"), wrong


def _template_problem(template: str) -> str | None:
    """Why it cannot be filled in, or would show the model no passage."""
    try:
        named = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        unknown = sorted(named - FIELDS.keys())
        if unknown:
            return f"unknown field {{{unknown[0]}}}; there are {', '.join(f'{{{name}}}' for name in FIELDS)}"
        template.format(**FIELDS)
    except ValueError as problem:
        return f"{problem}; a brace that is meant as one is written twice"
    return None if "text" in named else "has no {text}, so the model would never see a passage"
