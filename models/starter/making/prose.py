"""The books as tokens: the original once, and copies in which the names are exchanged chunk by chunk."""

# ruff: noqa: S311 - seeded on purpose
from __future__ import annotations

import random
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from making import names
from making.corpus import Book, chunks
from making.tokenizer import BOS_ID, spm

Tokens = np.ndarray[Any, np.dtype[np.uint16]]


def _encode(job: tuple[Path, Book, int, int, list[str]]) -> Tokens:
    """One book's tokens behind a <s>; in a copy (number > 0) the names of most chunks are exchanged."""
    folder, book, number, seed, pool = job
    draw = random.Random(f"{seed} {book.name} {number}")
    known = frozenset(names.found_in(book.text)) if number else frozenset()
    pieces = chunks(book.text)
    if number:
        pieces = [names.exchange(piece, _mapping(piece, known, draw, pool)) for piece in pieces]
    ids = [token for piece in spm(folder).encode(pieces) for token in piece]
    return np.array([BOS_ID, *ids], dtype=np.uint16)


def _mapping(piece: str, known: frozenset[str], draw: random.Random, pool: list[str]) -> dict[str, str]:
    if draw.random() > 0.6:
        return {}
    return names.new_names(names.present(piece, known), draw, pool)


def encode(books: list[Book], folder: Path, target: Path, *, copies: int, seed: int, processes: int) -> int:
    """Writes prose.0.npy (the original) to prose.N.npy, the books in a seeded order each; returns the tokens of the original.

    folder: the tokenizer's.
    """
    target.mkdir(parents=True, exist_ok=True)
    pool = [name for book in books for name in names.found_in(book.text)[:12]]
    with get_context("spawn").Pool(processes) as workers:
        for number in range(copies + 1):
            order = random.Random(seed + number).sample(books, len(books))
            parts = workers.map(_encode, [(folder, book, number, seed, pool) for book in order], chunksize=1)
            np.save(target / f"prose.{number}.npy", np.concatenate(parts))
    return int(np.load(target / "prose.0.npy", mmap_mode="r").shape[0])


class Windows:
    """Endless windows of one length. A pass cuts one copy of the corpus at a random offset and deals out the cuts in random order."""

    def __init__(self, folder: Path, length: int, seed: int) -> None:
        self.copies: list[Tokens] = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("prose.*.npy"))]
        self.length = length
        self.draw = np.random.default_rng([seed, length])
        self.passes = 0
        self._windows = self._endless()

    def _endless(self) -> Iterator[Tokens]:
        while True:
            copy = self.copies[self.passes % len(self.copies)]
            self.passes += 1
            offset = int(self.draw.integers(0, min(self.length, max(1, len(copy) - self.length))))
            starts = np.arange(offset, max(offset + 1, len(copy) - self.length), self.length)
            self.draw.shuffle(starts)
            for start in starts:
                yield np.asarray(copy[start : start + self.length])

    def take(self, length: int) -> Tokens:
        """The next window, cut to `length` tokens."""
        return next(self._windows)[:length]
