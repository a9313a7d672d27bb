"""Cuts cleaned documents into passages; where there is much to cut, in processes beside the one that cleans."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType

from lorewright.data.hold_out import Place
from lorewright.data.measure import measure
from lorewright.data.split import Splitter
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
    """A helper process: cuts what it is sent until None, then answers with its places, or with what went wrong."""
    try:
        cutter = Cutter(cuts, file)
        for document, texts in iter(connection.recv, None):
            cutter.feed(document, texts)
        cutter.spool.close()
        connection.send(cutter.spool.places)
    except EOFError:
        pass  # the run was ended
    except Exception as problem:  # noqa: BLE001 (it is raised again in the process that asked)
        connection.send(problem)


def _last_word(connection: Connection) -> object:
    """What a helper sent before it ended, if anything."""
    try:
        return connection.recv() if connection.poll() else None
    except (OSError, EOFError):
        return None


@dataclass
class Cutting:
    """A context manager: feed every document, read the passages after finish(). size: of all documents in bytes; folder: for the spools."""

    cuts: Cuts
    folder: Path
    size: int = 0
    documents: int = 1
    places: list[Place] = field(default_factory=list)
    _helpers: list[tuple[SpawnProcess, Connection]] = field(default_factory=list)
    _given: list[int] = field(default_factory=list)
    _at: int = 0
    _order: list[tuple[str, int]] = field(default_factory=list)
    _here: Cutter | None = None

    def __enter__(self) -> Cutting:
        for left in self.folder.glob("passages-*.spool"):
            left.unlink()
        measure(self.cuts.chunk.unit, self.cuts.base_model)  # what is wrong with the tokenizer is told at once
        count = min(len(os.sched_getaffinity(0)), self.documents, MOST_HELPERS) if self.size >= MUCH else 0
        start = multiprocessing.get_context("spawn")
        for number in range(count):
            ours, theirs = start.Pipe()
            helper = start.Process(target=_help, args=(theirs, self.cuts, self._file(number)), daemon=True)
            helper.start()
            theirs.close()
            self._helpers.append((helper, ours))
        self._given = [0] * max(1, count)
        self._here = None if count else Cutter(self.cuts, self._file(0))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for helper, connection in self._helpers:
            connection.close()
            helper.join(10)
            helper.kill()
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

    def feed(self, texts: list[str] | None) -> None:
        """The document's next paragraphs; None when it has ended."""
        document = self._order[-1][0]
        self._given[self._at] += sum(map(len, texts or ()))
        if self._here:
            self._here.feed(document, texts)
        else:
            with self._told(self._at) as connection:
                connection.send((document, texts))

    def finish(self) -> None:
        """All documents were fed: places are those of all passages, in the documents' order."""
        if self._here:
            self._here.spool.close()
            self.places = self._here.spool.places
            return
        found: list[dict[str, list[Place]]] = []
        for number in range(len(self._helpers)):
            with self._told(number) as connection:
                connection.send(None)
                answer = connection.recv()
            if isinstance(answer, Exception):
                raise answer
            found.append({})
            for place in answer:
                found[-1].setdefault(place.document, []).append(place)
        self.places = [place for document, number in self._order for place in found[number].get(document, ())]

    @contextlib.contextmanager
    def _told(self, number: int) -> Iterator[Connection]:
        """A helper's connection; when the helper is gone, what it said last is raised."""
        connection = self._helpers[number][1]
        try:
            yield connection
        except (OSError, EOFError):
            answer = _last_word(connection)
            raise answer if isinstance(answer, Exception) else RuntimeError("a process that cuts passages has died") from None

    def read(self) -> Iterator[tuple[Place, str, str]]:
        """(place, chapter, text) of every passage, in the documents' order."""
        files = [passages(self._file(number)) for number in range(len(self._given))]
        number_of = dict(self._order)
        for place in self.places:
            yield place, *next(files[number_of[place.document]])
