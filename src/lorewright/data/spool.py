"""Passages on their way to a training set: on disk, because their style and their side are known only when all are cut."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lorewright.data.hold_out import Place
from lorewright.data.split import Cut

SAMPLE = 8_000_000  # characters of cleaned text that the style is measured on


@dataclass
class Spool:
    """Writes passages to a file, each as `LENGTH LENGTH`, chapter and text, and keeps in memory only where they stood."""

    file: Path
    places: list[Place] = field(default_factory=list)
    _open: TextIO | None = None

    def add(self, document: str, number: int, cut: Cut) -> None:
        if self._open is None:
            self._open = open(self.file, "w", encoding="utf-8", newline="")
        self.places.append(Place(document, number, len(cut.text), cut.length, cut.begin, cut.end, cut.opens))
        self._open.write(f"{len(cut.chapter)} {len(cut.text)}\n{cut.chapter}{cut.text}")

    def close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None


def passages(file: Path) -> Iterator[tuple[str, str]]:
    """(chapter, text) of every passage of a spool's file, in order."""
    if not file.exists():
        return
    with open(file, encoding="utf-8", newline="") as spooled:
        while head := spooled.readline():
            chapter, text = map(int, head.split())
            both = spooled.read(chapter + text)
            yield both[:chapter], both[chapter:]


@dataclass
class Sample:
    """A fair sample of a stream of texts, the same for a seed: everything up to SAMPLE characters, beyond that a draw of the texts."""

    seed: int
    _kept: list[tuple[float, int, str]] = field(default_factory=list)
    _given: int = 0
    _size: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 (a draw, not a secret)

    def add(self, text: str) -> None:
        """Every text draws a number; when there is too much, those with the highest go."""
        self._given += 1
        self._size += len(text)
        heapq.heappush(self._kept, (-self._random.random(), self._given, text))
        while self._size > SAMPLE and len(self._kept) > 1:
            self._size -= len(heapq.heappop(self._kept)[2])

    def texts(self) -> list[str]:
        return [text for _, text in sorted((number, text) for _, number, text in self._kept)]


def drawn(places: list[Place], most: int | None, seed: int) -> list[Place]:
    """At most so many, drawn by the seed, in their order."""
    if most is None or len(places) <= most:
        return places
    chosen = sorted(random.Random(seed).sample(range(len(places)), most))  # noqa: S311 (a draw, not a secret)
    return [places[at] for at in chosen]
