"""What is asked about: prepared passages, or a file of prompts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
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


SUFFIXES = (".txt", ".jsonl", ".ndjson", ".json")
FILES = "name a .txt, .jsonl or .json file of prompts"


def read_prompts(file: Path) -> list[Item]:
    """The prompts of a file, all of them good. Raises LorewrightError with the line of the first bad entry."""
    items, bad = good_prompts(file)
    if bad:
        raise bad[0]
    return items


def good_prompts(file: Path) -> tuple[list[Item], list[LorewrightError]]:
    """Prompts of a .txt file (one a line; or, with lines of `---`, one between two of them), of a .jsonl file (`prompt`, or plain text)
    or of a .json file (a list of such), and what is wrong with the entries that give none.

    Raises LorewrightError when the file cannot be read, or when there is no entry in it.
    """
    suffix = file.suffix.lower()
    bad: list[LorewrightError] = []
    if suffix not in SUFFIXES:
        raise LorewrightError("is no file of prompts", where=str(file), remedy=FILES)
    try:
        text = read_text(file)
    except (OSError, ValueError) as problem:
        raise LorewrightError(reason(problem), where=str(file), remedy=FILES) from None
    if suffix == ".txt":
        items = _blocks(file, text)
    else:
        items, bad = _sorted_out(_list_of_json(file, text) if suffix == ".json" else _lines_of_json(file, text))
    if not items and not bad:
        raise LorewrightError("holds no prompt", where=str(file), remedy='write one a line, or {"prompt": "…"} a line in a .jsonl file')
    return items, bad


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


def _sorted_out(found: Iterable[Item | LorewrightError]) -> tuple[list[Item], list[LorewrightError]]:
    items: list[Item] = []
    bad: list[LorewrightError] = []
    for one in found:
        items.append(one) if isinstance(one, Item) else bad.append(one)
    return items, bad


def _lines_of_json(file: Path, text: str) -> Iterator[Item | LorewrightError]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{file}:{number}"
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                yield LorewrightError("is not JSON", where=where, remedy='a line is {"prompt": "…"}')
                continue
            yield _item(where, f"{file.name}:{number}", value)


def _list_of_json(file: Path, text: str) -> Iterator[Item | LorewrightError]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list):
        raise LorewrightError("is no JSON list", where=str(file), remedy='write [{"prompt": "…"}, …], or a line each in a .jsonl file')
    for number, value in enumerate(values, 1):
        yield _item(f"{file}, entry {number}", f"{file.name}:{number}", value)


def _item(where: str, name: str, value: Any) -> Item | LorewrightError:
    """name: what it is called when it has no id of its own."""
    fields = value if isinstance(value, dict) else {"prompt": value}
    key = next((key for key in TEXT_KEYS if isinstance(fields.get(key), str) and fields[key].strip()), None)
    if key is None:
        return LorewrightError("has no prompt", where=where, remedy=f"give it as text under {', '.join(TEXT_KEYS)}")
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return LorewrightError("holds half a character (a lone surrogate)", where=where, remedy="take it out")
    return Item(str(fields.get("id", name)), fields[key].strip(), {name: kept for name, kept in fields.items() if name not in (key, "key")})
