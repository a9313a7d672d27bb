"""The YAML block that may open a lore file: read what concerns us, and take it out of the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

BLOCK = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class FrontMatter:
    title: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()


def split_front_matter(text: str) -> tuple[FrontMatter, str, str]:
    """(front matter, the text after it, what is wrong with it or "").

    text: with `\\n` line ends. A block that is valid YAML but no mapping is prose between two scene breaks, and stays.
    """
    block = BLOCK.match(text)
    if not block:
        return FrontMatter(), text, ""
    rest = text[block.end() :]
    try:
        values = yaml.safe_load(block[1])
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # ValueError: a date such as 2024-13-45
        return FrontMatter(), rest, f"its front matter is not valid YAML ({_place(problem)}); the text after it is used"
    if values is None:
        return FrontMatter(), rest, ""
    if not isinstance(values, Mapping):
        return FrontMatter(), text, ""
    return FrontMatter(_line(values.get("title")), _line(values.get("category")), _tags(values.get("tags"))), rest, ""


def _place(problem: Exception) -> str:
    mark = getattr(problem, "problem_mark", None)
    # The opening --- is line 1, and YAML counts from 0.
    return f"line {mark.line + 2}: {getattr(problem, 'problem', '')}" if mark else str(problem)


def _line(value: Any) -> str:
    """A scalar as one line of text; a list or a mapping says nothing we could show."""
    return "" if value is None or isinstance(value, (list, dict)) else " ".join(str(value).split())


def _tags(value: Any) -> tuple[str, ...]:
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(tag for tag in map(_line, entries) if tag)
