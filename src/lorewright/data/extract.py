"""Manuscripts to plain documents: which files there are, and their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright.data.front_matter import split_front_matter
from lorewright.data.text_file import read_text, reason
from lorewright.sources import all_files

SUFFIXES = (".md", ".txt")


@dataclass(frozen=True)
class Document:
    """One manuscript file. name: its path below the source it came from. title: its first heading, else ''."""

    name: str
    title: str
    text: str


@dataclass(frozen=True)
class Refused:
    """A file that could not be used, and why."""

    file: Path
    reason: str


def extract(sources: Sequence[str]) -> tuple[list[Document], list[Refused]]:
    """Every readable document, and every visible file that was refused; one bad file never stops the others.

    sources: files, folders (searched whole) or globs; a file that two of them mean counts once.
    """
    documents: list[Document] = []
    refused: list[Refused] = []
    for root, file in all_files(sources):
        made = _read(file, str(file.relative_to(root)))
        (documents if isinstance(made, Document) else refused).append(made)  # type: ignore[arg-type]
    return documents, refused


def _read(file: Path, name: str) -> Document | Refused:
    if file.suffix.lower() not in SUFFIXES:
        return Refused(file, f"{file.suffix or 'such'} files are not read; save it as text (.txt) or Markdown (.md)")
    try:
        text = read_text(file)
    except (OSError, ValueError) as problem:
        return Refused(file, reason(problem))
    title, body = _split_title(text) if file.suffix.lower() == ".md" else ("", text)
    return Document(name, title, body) if body.strip() else Refused(file, "holds no text")


def _split_title(text: str) -> tuple[str, str]:
    """Markdown's front matter and heading lines are not prose: the first heading becomes the title.

    A block between two `---` that is no front matter is a scene, and stays.
    """
    _, rest, problem = split_front_matter(text)
    body = text if problem else rest
    body = re.sub(r"^(?=\S)(.+)\n(?:={3,}|-{3,})[ \t]*$", r"# \1", body, flags=re.MULTILINE)  # underlined headings
    headings = re.findall(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", body, flags=re.MULTILINE)
    return (headings[0].strip() if headings else ""), re.sub(r"^#{1,6}[ \t]+.*$", "", body, flags=re.MULTILINE)
