"""Rows from JSON, JSONL and CSV files, and their way to the training or the validation side."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.data.text_file import read_text, reason
from lorewright.sources import all_files

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")


@dataclass(frozen=True)
class Row:
    """One row. document: its file below the source it came from. number: its line, or its place in a JSON list, from 1."""

    document: str
    number: int
    values: Mapping[str, Any]

    @property
    def place(self) -> str:
        return f"{self.document}:{self.number}"

    def text(self, name: str) -> str:
        """A value as text without surrounding blanks; '' when it is missing or null. Raises ValueError for a list or a mapping."""
        value = self.values.get(name)
        if isinstance(value, (list, dict, bool)):
            raise ValueError(f"{name} is not text")
        return "" if value is None else str(value).strip()

    def needed(self, name: str) -> str:
        """A value that an example cannot be without. Raises ValueError when it is missing or empty."""
        text = self.text(name)
        if not text:
            raise ValueError(f"{name} is empty" if name in self.values else f"has no {name}; it has {', '.join(self.values) or 'nothing'}")
        return text


@dataclass(frozen=True)
class BadRow:
    """A file or a row that could not be used, and why."""

    place: str
    reason: str


@dataclass(frozen=True)
class Item:
    """The examples of one row, which stay together; items of one group stay on one side of the validation cut."""

    group: str
    document: str
    examples: tuple[dict[str, Any], ...]


def read_rows(sources: Sequence[str]) -> tuple[list[Row], list[BadRow]]:
    """Every row of every readable file, and what was refused; one bad line never stops the others."""
    rows: list[Row] = []
    bad: list[BadRow] = []
    for root, file in all_files(sources):
        name = str(file.relative_to(root))
        if file.suffix.lower() not in SUFFIXES:
            bad.append(BadRow(name, f"{file.suffix or 'such'} files hold no rows; .json, .jsonl and .csv do"))
            continue
        try:
            found = list(_rows(file, read_text(file)))
        except (OSError, ValueError, csv.Error, RecursionError) as problem:
            bad.append(BadRow(name, reason(problem) if isinstance(problem, (OSError, ValueError)) else str(problem)))
            continue
        for number, values in found:
            if isinstance(values, Mapping):
                rows.append(Row(name, number, values))
            else:
                bad.append(BadRow(f"{name}:{number}", str(values)))
    return rows, bad


def _rows(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    """(number, the row's mapping or why it is none)"""
    suffix = file.suffix.lower()
    if suffix == ".json":
        yield from enumerate((_mapping(value) for value in _listed(json.loads(text))), 1)
    elif suffix in (".csv", ".tsv"):
        csv.field_size_limit(2**31 - 1)  # a completion may be a whole chapter
        head = text.partition("\n")[0]
        between = max("\t;," if suffix == ".csv" else "\t", key=head.count) if head.count(",") == 0 else ","
        reader = csv.DictReader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else between, strict=True)
        for values in reader:
            yield reader.line_num, values if None not in values else "has more fields than the head line"
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, _parsed(line)


def _listed(value: Any) -> list[Any]:
    """A list of rows, or a mapping that holds one list."""
    lists = [inner for inner in value.values() if isinstance(inner, list)] if isinstance(value, dict) else [value]
    if len(lists) != 1 or not isinstance(lists[0], list):
        raise ValueError("holds no list of rows")
    return lists[0]


def _parsed(line: str) -> Any:
    try:
        return _mapping(json.loads(line))
    except ValueError as problem:
        return f"is not JSON ({problem})"
    except RecursionError:
        return "is nested too deeply"


def _mapping(value: Any) -> Any:
    return value if isinstance(value, Mapping) else "is no mapping of names to values"


def hold_out_items(items: Sequence[Item], share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """(training, validation), whole groups drawn by the seed until the share of the examples is reached; one group always stays."""
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.group] = sizes.get(item.group, 0) + len(item.examples)
    wanted, held = share * sum(sizes.values()), 0
    chosen: set[str] = set()
    order = random.Random(seed).sample(sorted(sizes), len(sizes))  # noqa: S311 (a draw, not a secret)
    for group in order if share else []:
        if held + sizes[group] / 2 <= wanted and len(chosen) < len(order) - 1:
            chosen.add(group)
            held += sizes[group]
    if share and not chosen and len(order) > 1:
        chosen.add(min(order, key=sizes.__getitem__))
    return [item for item in items if item.group not in chosen], [item for item in items if item.group in chosen]
