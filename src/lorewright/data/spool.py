"""Passages on their way to a training set: on disk, because their style and their side are known only when all are cut."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TextIO

from lorewright.data.hold_out import Place
from lorewright.data.split import Cut

SAMPLE = 16  # blocks of cleaned text, 1 MB each, that the style is measured on


@dataclass
class Spool:
    """Keeps passages in a temporary file below folder, and in memory only where they stood. A context manager."""

    folder: Path
    places: list[Place] = field(default_factory=list)
    _file: TextIO | None = None

    def __enter__(self) -> Spool:
        self._file = tempfile.TemporaryFile("w+", dir=self.folder, encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._file:
            self._file.close()

    def add(self, document: str, number: int, cut: Cut) -> None:
        assert self._file
        self.places.append(Place(document, number, len(cut.text), cut.length, cut.begin, cut.end, cut.opens))
        self._file.write(json.dumps([cut.chapter, cut.text], ensure_ascii=False) + "\n")

    def read(self) -> Iterator[tuple[Place, str, str]]:
        """(place, chapter, text) of every passage, in the order they were added."""
        assert self._file
        self._file.seek(0)
        for place, line in zip(self.places, self._file, strict=True):
            chapter, text = json.loads(line)
            yield place, chapter, text


@dataclass
class Sample:
    """A fair sample of a stream of texts, the same for a seed: everything while it is small (reservoir sampling)."""

    seed: int
    kept: list[tuple[int, str]] = field(default_factory=list)
    given: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 (a draw, not a secret)

    def add(self, text: str) -> None:
        self.given += 1
        if len(self.kept) < SAMPLE:
            self.kept.append((self.given, text))
        elif (at := self._random.randrange(self.given)) < SAMPLE:
            self.kept[at] = (self.given, text)

    def texts(self) -> list[str]:
        return [text for _, text in sorted(self.kept)]


def drawn(places: list[Place], most: int | None, seed: int) -> list[Place]:
    """At most so many, drawn by the seed, in their order."""
    if most is None or len(places) <= most:
        return places
    chosen = sorted(random.Random(seed).sample(range(len(places)), most))  # noqa: S311 (a draw, not a secret)
    return [places[at] for at in chosen]
