"""The longest run of words that a text shares with a body of texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:[’'][^\W_]+)*")
_PRIME = np.uint64(1_000_003)


def words(text: str) -> list[str]:
    """The words in small letters, without punctuation."""
    return [word.replace("'", "’") for word in _WORD.findall(text.lower())]


class Index:
    """All n-grams of the texts by hash, and where they stand. Runs shorter than n are not told apart."""

    def __init__(self, texts: list[str], n: int = 6) -> None:
        self.n = n
        self.known: dict[str, int] = {}
        ids = [self.known.setdefault(word, len(self.known) + 1) for text in texts for word in [*words(text), "\0"]]
        self.words = np.array(ids, dtype=np.uint64)
        hashes = self._hashes(self.words)
        self.order = np.argsort(hashes, kind="stable")
        self.hashes = hashes[self.order]

    def _hashes(self, ids: Any) -> Any:
        """Of every window of n ids: (len - n + 1,) uint64."""
        count = max(0, len(ids) - self.n + 1)
        found = np.zeros(count, dtype=np.uint64)
        for at in range(self.n):
            found = found * _PRIME + ids[at : at + count]
        return found

    def longest(self, text: str) -> int:
        """Words of the longest run that also stands in the texts; at least n - 1, the most that is not looked for."""
        ids = np.array([self.known.get(word, 0) for word in words(text)], dtype=np.uint64)
        best = min(len(ids), self.n - 1)
        for start, one in enumerate(self._hashes(ids)):
            low, high = np.searchsorted(self.hashes, one, "left"), np.searchsorted(self.hashes, one, "right")
            for place in self.order[low:high]:
                best = max(best, self._common(ids[start:], int(place)))
        return best

    def _common(self, ids: Any, place: int) -> int:
        there = self.words[place : place + len(ids)]
        differ = np.flatnonzero((ids[: len(there)] != there) | (ids[: len(there)] == 0))
        return int(differ[0]) if len(differ) else len(there)


def index(folder: Path, without: tuple[str, ...]) -> Index:
    """Over every *.txt under the folder but the named ones."""
    files = [path for path in sorted(folder.rglob("*.txt")) if path.stem not in without]
    return Index([path.read_text(encoding="utf-8") for path in files])
