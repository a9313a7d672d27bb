"""Lore to an index: goes on from the collection's index before, takes out what is gone, embeds what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.data.extract import Work
from lorewright.errors import LorewrightError
from lorewright.rag.chunk import Cut, searchable
from lorewright.rag.embed import Embedder
from lorewright.rag.journal import Journal
from lorewright.rag.lore_files import LoreFile, ReadFile, read_files
from lorewright.rag.stamp import STAMP, read_stamp
from lorewright.rag.store import IndexWriter, open_index

FEW = 1000  # deleted vectors that do no harm in any index
GROUP = 4096  # texts whose vectors are held at a time
Bar = Callable[[float, float | None, str], None]


@dataclass(frozen=True)
class Order:
    """What an index is to be made of. kind: what a stamp has to say too for that index to be gone on from.

    load: gives the embedder when there is something to embed. journal: the file of vectors that are not in an index yet.
    work: where extraction puts documents. check: called when all has been read; it may raise.
    """

    files: Sequence[LoreFile]
    cut: Cut
    kind: Mapping[str, Any]
    load: Callable[[], Embedder]
    journal: Path
    work: Work
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Made:
    """kept, new, gone: files that stood in the index before, that were read now, that are not there any more."""

    kept: int
    new: int
    gone: int
    embedded: int
    chunks: int
    categories: list[str]
    problems: list[tuple[Path, str]]


def earlier_index(folders: Sequence[Path], kind: Mapping[str, Any]) -> tuple[Path | None, str]:
    """(the newest of these indexes that can be gone on from, "") or (None, what is wrong with the newest of all).

    Folders without an index are passed over.
    """
    stamps = sorted((folder / STAMP for folder in folders if (folder / STAMP).is_file()), key=_age, reverse=True)
    wrong = []
    for stamp in stamps:
        trouble = _trouble(stamp.parent, kind)
        if not trouble:
            return stamp.parent, ""
        wrong.append(trouble)
    return None, wrong[0] if wrong else ""


def _trouble(folder: Path, kind: Mapping[str, Any]) -> str:
    """Why an index cannot be gone on from; empty when it can."""
    try:
        stamp = read_stamp(folder)
        other = [f"{key} was {stamp.get(key)}, is {value}" for key, value in kind.items() if stamp.get(key) != value]
        if not other:
            open_index(folder).close()
    except LorewrightError as problem:
        return problem.what
    return "; ".join(other)


def make_index(folder: Path, order: Order, previous: Path | None, bar: Bar) -> Made:
    """Makes the index in the folder; the one before is left as it is. Raises LorewrightError when no file holds any text."""
    writer = IndexWriter(folder, previous)
    try:
        held, wanted = writer.catalogue.keys(), {lore.key for lore in order.files}
        gone = held - wanted
        writer.remove(sorted(gone))
        if previous and writer.removed > max(FEW, read_stamp(previous)["vectors"]):
            # Chroma only marks what is deleted: too many marks make a large and slow index.
            writer.close()
            _save_vectors(previous, held & wanted, order)
            return make_index(folder, order, None, bar)
        read = list(read_files([lore for lore in order.files if lore.key not in held], order.cut, order.work))
        order.check()
        usable = [one for one in read if one.passages]
        if not usable and held == gone:
            tail = tuple(f"{one.lore.file}: {one.problem}" for one in read)
            raise LorewrightError("no lore could be read", remedy="rag.sources wants files with text", tail=tail)
        dimension, embedded = _embed(writer, usable, order, bar) if usable else (read_stamp(previous or folder)["dimension"], 0)
        old = writer.catalogue.problems()
        problems = [(lore.file, old[lore.key]) for lore in order.files if lore.key in held & old.keys()]
        problems += [(one.lore.file, one.problem) for one in read if one.problem]
        categories = writer.catalogue.categories()
        stamp = writer.finish(order.kind, dimension)
    except BaseException:
        writer.close()
        raise
    return Made(len(held - gone), len(usable), len(gone), embedded, stamp["chunks"], categories, problems)


def _save_vectors(previous: Path, keys: set[str], order: Order) -> None:
    """Puts the vectors of these files of an index into the journal, from which a new index takes them."""
    journal = Journal(order.journal, order.load())
    index = open_index(previous)
    try:
        for key in sorted(keys):
            journal.keep(*index.vectors_of(key))
    finally:
        index.close()
        journal.close()


def _embed(writer: IndexWriter, read: Sequence[ReadFile], order: Order, bar: Bar) -> tuple[int, int]:
    """Puts the files into the index, some thousand texts at a time. (the vectors' dimension, how many texts were embedded)."""
    searched = [searchable(one.passages) for one in read]
    total, done = sum(len(texts) for texts, _ in searched), 0
    bar(0, total, "loading the embedding model")
    embedder = order.load()
    journal = Journal(order.journal, embedder)

    def progress(more: int) -> None:
        nonlocal done
        done += more
        bar(done, total, f"{done}/{total} sentences")

    try:
        for group in _groups([len(texts) for texts, _ in searched]):
            vectors = journal.vectors([text for number in group for text in searched[number][0]], progress)
            begin = 0
            for number in group:
                texts, owners = searched[number]
                one = read[number]
                writer.add(one.lore.key, one.passages, vectors[begin : begin + len(texts)], owners, one.problem)
                begin += len(texts)
    finally:
        journal.close()
    return embedder.dimension, journal.embedded


def _groups(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of files that follow each other and have GROUP texts or a little more."""
    group, size = list[int](), 0
    for number, count in enumerate(sizes):
        group.append(number)
        size += count
        if size >= GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _age(stamp: Path) -> float:
    return stamp.stat().st_mtime
