"""Cuts cleaned documents into passages; where there is much to cut, in processes beside the one that cleans."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

from lorewright.data.beside import Helper
from lorewright.data.hold_out import Place
from lorewright.data.measure import measure
from lorewright.data.split import GAP, Splitter
from lorewright.data.spool import Spool, passages
from lorewright.recipe import Chunk

MUCH = 8_000_000  # bytes of text; below, another process costs more than it saves
MOST_HELPERS = 8


@dataclass(frozen=True)
class Cuts:
    """How to cut. headings: they stay in the text."""

    chunk: Chunk
    base_model: str
    headings: bool


class Cutter:
    """Takes documents one after the other, each as lists of paragraphs, and spools their passages."""

    def __init__(self, cuts: Cuts, file: Path) -> None:
        self.cuts, self.spool = cuts, Spool(file)
        self._measure = measure(cuts.chunk.unit, cuts.base_model)
        self._document, self._number = "", 0
        self._splitter = self._new()

    def feed(self, document: str, texts: list[str] | None) -> None:
        """texts: the next paragraphs; None when the document has ended."""
        cuts = self._splitter.end() if texts is None else self._splitter.feed(texts)
        for cut in cuts:
            self.spool.add(document, self._number, cut)
            self._number += 1
        if texts is None:
            self._splitter, self._number = self._new(), 0

    def _new(self) -> Splitter:
        return Splitter(self.cuts.chunk, self._measure, headings=self.cuts.headings)


def _help(connection: Connection, cuts: Cuts, file: Path) -> None:
    """A helper process: cuts what it is sent until None, then answers with its places."""
    os.nice(2)  # the process that feeds them all goes first
    cutter = Cutter(cuts, file)
    for document, joined in iter(connection.recv, None):
        cutter.feed(document, None if joined is None else joined.split(GAP))
    cutter.spool.close()
    connection.send(cutter.spool.places)


@dataclass
class Cutting:
    """A context manager: feed every document, read the passages after finish(). size: of all documents in bytes; folder: for the spools."""

    cuts: Cuts
    folder: Path
    size: int = 0
    documents: int = 1
    places: list[Place] = field(default_factory=list)
    _helpers: list[Helper] = field(default_factory=list)
    _given: list[int] = field(default_factory=list)
    _at: int = 0
    _order: list[tuple[str, int]] = field(default_factory=list)
    _here: Cutter | None = None

    def __enter__(self) -> Cutting:
        for left in self.folder.glob("passages-*.spool"):
            left.unlink()
        measure(self.cuts.chunk.unit, self.cuts.base_model)  # what is wrong with the tokenizer is told at once
        count = min(len(os.sched_getaffinity(0)), self.documents, MOST_HELPERS) if self.size >= MUCH else 0
        self._helpers = [Helper(_help, self.cuts, self._file(number)) for number in range(count)]
        self._given = [0] * max(1, count)
        self._here = None if count else Cutter(self.cuts, self._file(0))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for helper in self._helpers:
            helper.close()
        if self._here:
            self._here.spool.close()
        for file in self.folder.glob("passages-*.spool"):
            file.unlink()

    def _file(self, number: int) -> Path:
        return self.folder / f"passages-{number}.spool"

    def begin(self, document: str) -> None:
        """The next document; a helper with the least to do so far gets it."""
        self._at = min(range(len(self._given)), key=self._given.__getitem__)
        self._order.append((document, self._at))

    def feed(self, joined: str | None) -> None:
        """The document's next paragraphs, with a blank line between two; None when it has ended."""
        document = self._order[-1][0]
        self._given[self._at] += len(joined or "")
        if self._here:
            self._here.feed(document, None if joined is None else joined.split(GAP))
        else:
            self._helpers[self._at].send((document, joined))

    def finish(self) -> None:
        """All documents were fed: places are those of all passages, in the documents' order."""
        if self._here:
            self._here.spool.close()
            self.places = self._here.spool.places
            return
        found: list[dict[str, list[Place]]] = []
        for helper in self._helpers:
            helper.send(None)
        for helper in self._helpers:
            found.append({})
            for place in helper.receive():
                found[-1].setdefault(place.document, []).append(place)
        self.places = [place for document, number in self._order for place in found[number].get(document, ())]

    def read(self) -> Iterator[tuple[Place, str, str]]:
        """(place, chapter, text) of every passage, in the documents' order."""
        files = [passages(self._file(number)) for number in range(len(self._given))]
        number_of = dict(self._order)
        for place in self.places:
            yield place, *next(files[number_of[place.document]])
