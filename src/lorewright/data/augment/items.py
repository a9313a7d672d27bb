"""What is asked about: prepared passages, or a file of prompts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright.data.text_file import read_text, reason
from lorewright.errors import LorewrightError

TEXT_KEYS = ("prompt", "text", "question", "instruction")


@dataclass(frozen=True)
class Item:
    """One text to ask about. name: how a person finds it again. origin: fields that its rows keep."""

    name: str
    text: str
    origin: Mapping[str, Any] = field(default_factory=dict)


def items_of_passages(passages: Iterable[tuple[str, int, str]]) -> list[Item]:
    """Items of (document, number within it, text), as the split gives them."""
    return [Item(f"{document}#{number}", text, {"document": document, "passage": number}) for document, number, text in passages]


def read_prompts(file: Path) -> list[Item]:
    """Prompts of a .txt file (one a line; or, with lines of `---`, one between two of them) or of a .jsonl file (`prompt`, or plain text).

    Raises LorewrightError with the line of the first bad entry.
    """
    if file.suffix.lower() not in (".txt", ".jsonl", ".ndjson"):
        raise LorewrightError("is no file of prompts", where=str(file), remedy="name a .txt or .jsonl file")
    try:
        text = read_text(file)
    except (OSError, ValueError) as problem:
        raise LorewrightError(reason(problem), where=str(file), remedy="name a .txt or .jsonl file of prompts") from None
    items = _lines_of_json(file, text) if file.suffix.lower() in (".jsonl", ".ndjson") else _blocks(file, text)
    if not items:
        raise LorewrightError("holds no prompt", where=str(file), remedy='write one a line, or {"prompt": "…"} a line in a .jsonl file')
    return items


def _blocks(file: Path, text: str) -> list[Item]:
    lines = text.split("\n")
    if any(line.strip() == "---" for line in lines):
        blocks, begun = [""], [1]
        for number, line in enumerate(lines, 1):
            if line.strip() == "---":
                blocks.append("")
                begun.append(number + 1)
            else:
                blocks[-1] += f"{line}\n"
        found = zip(begun, blocks, strict=True)
    else:
        found = zip(range(1, len(lines) + 1), lines, strict=True)
    return [Item(f"{file.name}:{number}", block.strip()) for number, block in found if block.strip()]


def _lines_of_json(file: Path, text: str) -> list[Item]:
    items = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            items.append(_item_of_json(f"{file}:{number}", f"{file.name}:{number}", line))
    return items


def _item_of_json(where: str, name: str, line: str) -> Item:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise LorewrightError("is not JSON", where=where, remedy='a line is {"prompt": "…"}') from None
    fields = value if isinstance(value, dict) else {"prompt": value}
    key = next((key for key in TEXT_KEYS if isinstance(fields.get(key), str) and fields[key].strip()), None)
    if key is None:
        raise LorewrightError("has no prompt", where=where, remedy=f"give it as text under {', '.join(TEXT_KEYS)}")
    try:
        line.encode()
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LorewrightError("holds half a character (a lone surrogate)", where=where, remedy="take it out") from None
    return Item(str(fields.get("id", name)), fields[key].strip(), {name: kept for name, kept in fields.items() if name not in (key, "key")})
