"""Manuscripts to plain documents: which files there are, and their text."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def manuscript_files(sources: Sequence[str]) -> list[tuple[str, Path]]:
    """(name, file) of every text and Markdown file that the sources mean: files, folders (searched whole) or globs; sorted."""
    found: dict[Path, str] = {}
    for source in sources:
        for place in map(Path, sorted(glob.glob(source, recursive=True)) if re.search(r"[*?\[]", source) else [source]):
            if place.is_file():
                found.setdefault(place, place.name)
            for file in sorted(place.rglob("*")) if place.is_dir() else ():
                below = file.relative_to(place)
                if file.suffix.lower() in SUFFIXES and file.is_file() and not any(part.startswith(".") for part in below.parts):
                    found.setdefault(file, str(below))
    return [(name, file) for file, name in found.items()]


def extract(sources: Sequence[str]) -> tuple[list[Document], list[Refused]]:
    """Every readable document, and every file that was refused; one bad file never stops the others."""
    documents: list[Document] = []
    refused: list[Refused] = []
    for name, file in manuscript_files(sources):
        if file.suffix.lower() not in SUFFIXES:
            refused.append(Refused(file, f"{file.suffix or 'no'} files are not read; text (.txt) and Markdown (.md) are"))
            continue
        try:
            text = _decode(file.read_bytes())
        except (OSError, UnicodeError) as problem:
            refused.append(Refused(file, _reason(problem)))
            continue
        title, body = _split_title(text) if file.suffix.lower() == ".md" else ("", text)
        if body.strip():
            documents.append(Document(name, title, body))
        else:
            refused.append(Refused(file, "holds no text"))
    return documents, refused


def _decode(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    return raw.decode("utf-8-sig")


def _reason(problem: OSError | UnicodeError) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return f"is not UTF-8 text (byte {problem.start}); save it as UTF-8"
    return str(getattr(problem, "strerror", None) or problem)


def _split_title(text: str) -> tuple[str, str]:
    """Markdown's front matter and heading lines are not prose: the first heading becomes the title."""
    text = re.sub(r"\A---\r?\n.*?\r?\n---\r?\n", "", text, count=1, flags=re.DOTALL)
    headings = re.findall(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", text, flags=re.MULTILINE)
    return (headings[0].strip() if headings else ""), re.sub(r"^#{1,6}[ \t]+.*$", "", text, flags=re.MULTILINE)
