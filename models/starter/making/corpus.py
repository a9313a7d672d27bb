"""The books: reading them, keeping the held-out works apart, and cutting them into passages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HELD_OUT = ("philip-k-dick_short-fiction", "h-g-wells_the-time-machine")
SCENE_BREAK = "* * *"
_SENTENCE_END = re.compile(r"(?<=[.!?…])(?<!Mr\.)(?<!Mrs\.)(?<!Dr\.)(?<!St\.)([”’]?)\s+(?=[“‘A-Z])")


@dataclass(frozen=True)
class Book:
    """One work: its file's stem and its text."""

    name: str
    text: str


def read_books(folder: Path) -> list[Book]:
    """Every *.txt under the folder, by name.

    Raises:
        SystemExit: there is none.
    """
    files = sorted(folder.rglob("*.txt"), key=lambda path: path.stem)
    if not files:
        raise SystemExit(f"{folder}: no .txt files; unpack the corpus there, or name its folder with --books")
    return [Book(path.stem, path.read_text(encoding="utf-8").strip() + "\n") for path in files]


def training(books: list[Book]) -> list[Book]:
    """The books that may be learnt from."""
    return [book for book in books if book.name not in HELD_OUT]


def held_out(books: list[Book]) -> list[Book]:
    """The books that only measure."""
    return [book for book in books if book.name in HELD_OUT]


def paragraphs(text: str) -> list[str]:
    """The non-empty paragraphs; scene breaks are paragraphs too."""
    return [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]


def sentences(paragraph: str) -> list[str]:
    """Sentences, roughly: a split after . ! ? … before a capital or an opening quote, abbreviations spared."""
    marked = _SENTENCE_END.sub(lambda found: f"{found.group(1)}\0", paragraph)
    return [part.strip() for part in marked.split("\0") if part.strip()]


def chunks(text: str, size: int = 12_000) -> list[str]:
    """The text in pieces of about `size` characters that end at paragraph ends; joined they are the text."""
    pieces: list[str] = []
    held: list[str] = []
    length = 0
    for part in re.split(r"(?<=\n)(?=\S)", text):
        held.append(part)
        length += len(part)
        if length >= size:
            pieces.append("".join(held))
            held, length = [], 0
    return [*pieces, "".join(held)] if held else pieces
