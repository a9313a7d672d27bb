"""The `sections` format: Markdown chapters by their headings, and JSON files that hold a text for each section."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorewright.data.clean import clean
from lorewright.data.formats.messages import messages
from lorewright.data.formats.rows import BadRow, Item
from lorewright.data.front_matter import split_front_matter
from lorewright.data.split import split
from lorewright.data.text_file import read_text, reason
from lorewright.recipe import Chunk
from lorewright.sources import all_files

SUFFIXES = (".md", ".markdown", ".json")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r"^(?:```|~~~)")
_NAMES = ("section", "title", "name", "heading")  # where a list of sections says what each is called


@dataclass(frozen=True)
class Section:
    """document: its file below the source. title: the file's first heading or its name. name: the section's heading, '' before any."""

    document: str
    title: str
    name: str
    text: str


def read_sections(sources: Sequence[str], field: str) -> tuple[list[Section], list[BadRow]]:
    """Every section of every readable file, in order, and the files that gave none. field: the JSON key that holds a section's text."""
    found: list[Section] = []
    bad: list[BadRow] = []
    for root, file in all_files(sources):
        name = str(file.relative_to(root))
        try:
            sections = list(_of_file(file, name, field))
        except (OSError, ValueError, RecursionError) as problem:
            bad.append(BadRow(name, reason(problem) if isinstance(problem, (OSError, ValueError)) else "is nested too deeply"))
            continue
        if not sections:
            bad.append(BadRow(name, f"holds no section with a text {field!r}" if file.suffix.lower() == ".json" else "holds no text"))
        found += sections
    return found, bad


def _of_file(file: Path, name: str, field: str) -> Iterator[Section]:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{suffix or 'such'} files hold no sections; .md and .json do")
    if suffix == ".json":
        pairs = [(heading, text) for heading, text in _in_json(json.loads(read_text(file)), "", field) if text.strip()]
        title = file.stem.replace("_", " ")
    else:
        pairs = list(_in_markdown(split_front_matter(read_text(file))[1]))
        title = next((heading for heading, _ in pairs if heading), file.stem.replace("_", " "))
    yield from (Section(name, title, heading, clean(text)) for heading, text in pairs if text.strip())


def _in_json(value: Any, name: str, field: str) -> Iterator[tuple[str, str]]:
    """(name, text) of each mapping with the field, however deep; its name is the key it stands under, or its own title."""
    if isinstance(value, list):
        for inner in value:
            yield from _in_json(inner, "", field)
    elif isinstance(value, dict):
        if isinstance(value.get(field), str):
            own = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "")
            yield name or own, value[field]
        for key, inner in value.items():
            if isinstance(inner, (list, dict)):
                yield from _in_json(inner, key, field)


def _in_markdown(text: str) -> Iterator[tuple[str, str]]:
    """(heading, text) in order; a # inside a fenced block is no heading."""
    heading, fenced = "", False
    lines: list[str] = []
    for line in text.split("\n"):
        fenced ^= bool(_FENCE.match(line))
        match = None if fenced else _HEADING.match(line)
        if match:
            yield heading, "\n".join(lines)
            heading, lines = match[1].strip(), []
        else:
            lines.append(line)
    yield heading, "\n".join(lines)


def items(sections: Sequence[Section], chunk: Chunk, measure: Callable[[str], int], *, as_text: bool, system: str) -> list[Item]:
    """Examples of each section: its passages as plain text under the heading, or as answers to instructions.

    Whole documents are held out; a single document's sections are groups of their own.
    """
    single = len({section.document for section in sections}) == 1
    made: list[Item] = []
    for place, section in enumerate(sections):
        head = f"### {section.name}\n\n" if section.name and as_text else ""
        fitting = replace(chunk, max=max(16, chunk.max - measure(head))) if head else chunk
        texts = split(section.text, replace(fitting, min=min(fitting.min, fitting.max)), measure)
        about = {"document": section.document, "section": section.name}
        examples = tuple(
            ({"text": (head if number == 0 else "") + text} if as_text else {"messages": _asked(section, text, number, system)}) | about
            for number, text in enumerate(texts)
        )
        made.append(Item(f"{section.document} {place if single else ''}", section.document, examples))
    return [item for item in made if item.examples]


def _asked(section: Section, text: str, number: int, system: str) -> list[dict[str, str]]:
    which = f"the section “{section.name}” of “{section.title}”" if section.name and section.name != section.title else f"“{section.title}”"
    return messages(system, f"{'Write' if number == 0 else 'Go on with'} {which}.", text)
