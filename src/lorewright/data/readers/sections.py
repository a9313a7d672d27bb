"""JSON reports: the `improved` text of each section, under the section's name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorewright.data.readers.refusal import Reading, UnreadableError
from lorewright.data.text_file import read_text

WANTED = "improved"
NAMES = ("section", "name", "heading", "title", "id")


def read_sections(file: Path) -> Reading:
    """`### SECTION` and its improved text, in the file's order.

    The file: a mapping of section names to {"improved": text, …}, or a list of {"section": name, "improved": text, …}, at any
    depth. Raises UnreadableError when it is no JSON or has no such section.
    """
    try:
        value = json.loads(read_text(file))
    except json.JSONDecodeError as problem:
        raise UnreadableError(f"is not valid JSON (line {problem.lineno}: {problem.msg})") from None
    except ValueError as problem:
        raise UnreadableError(str(problem)) from None
    except RecursionError:
        raise UnreadableError("is nested too deeply to be a report") from None
    sections = [(name, text.strip()) for name, text in _sections(value, "") if text.strip()]
    if not sections:
        raise UnreadableError(f"is JSON without a section that has an `{WANTED}` text")
    blocks = [f"### {name}\n\n{text}" if name else text for name, text in sections]
    title = value.get("title") if isinstance(value, dict) else ""
    return Reading("\n\n".join(blocks) + "\n", title if isinstance(title, str) else "")


def _sections(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """(name, text) of every mapping that holds an improved text; named by itself, else by the key it stands under."""
    if isinstance(value, dict):
        if isinstance(value.get(WANTED), str):
            named = next((value[name] for name in NAMES if isinstance(value.get(name), str)), key)
            yield " ".join(named.split()), value[WANTED]
            return
        for name, below in value.items():
            yield from _sections(below, str(name))
    elif isinstance(value, list):
        for below in value:
            yield from _sections(below, key)
