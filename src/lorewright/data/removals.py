"""The record of what cleaning took out: every removal counted by kind, and listed where somebody can read it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TextIO

EXCERPT = 160
KINDS = {  # kind -> (one, several), as the summary line names them
    "heading": ("heading", "headings"),
    "title page": ("title page line", "title page lines"),
    "copyright": ("copyright paragraph", "copyright paragraphs"),
    "contents": ("contents paragraph", "contents paragraphs"),
    "figures": ("list-of-figures paragraph", "list-of-figures paragraphs"),
    "notes": ("note", "notes"),
    "bibliography": ("bibliography entry", "bibliography entries"),
    "index": ("index paragraph", "index paragraphs"),
    "note mark": ("note mark", "note marks"),
    "mark": ("editing mark", "editing marks"),
    "control": ("control character", "control characters"),
    "duplicate": ("duplicate", "duplicates"),
    "near duplicate": ("near duplicate", "near duplicates"),
}


@dataclass
class Removals:
    """Counts removals, and writes each as a line of JSON where a file is given.

    file: text file open for writing; None only counts. counts: how many of each kind. characters: how many each kind took.
    """

    file: TextIO | None = None
    counts: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    def add(self, document: str, paragraph: int, kind: str, text: str, *, times: int = 1, like: str = "") -> None:
        """paragraph: its number in the document, from 1. times: how many single removals this line stands for.

        like: for a duplicate, what it repeats.
        """
        self.counts[kind] += times
        self.characters[kind] += len(text)
        if self.file:
            short = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"
            entry = {"document": document, "paragraph": paragraph, "kind": kind, "text": short, "characters": len(text)}
            extra: dict[str, object] = ({"times": times} if times > 1 else {}) | ({"like": like} if like else {})
            self.file.write(json.dumps(entry | extra, ensure_ascii=False) + "\n")

    def said(self) -> str:
        """What was taken out, in words; "" when nothing was."""
        return ", ".join(f"{n:,} {KINDS[kind][n > 1]}" for kind, n in self.counts.most_common())
