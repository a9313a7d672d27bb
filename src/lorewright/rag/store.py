"""The index of one lore collection, in a folder of its own: Chroma has the vectors, a catalogue the passages and their words.

A stamp says how it was made. It comes last, so that a folder with a stamp is whole; an index is never changed after that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings

from lorewright.errors import LorewrightError
from lorewright.locks import hold_folder
from lorewright.manifest import write_whole
from lorewright.rag.catalogue import FILE, Catalogue, CatalogueWriter, Filter, open_catalogue, row_names
from lorewright.rag.chunk import CHUNKER_VERSION, Passage, searchable
from lorewright.rag.embed import Vectors
from lorewright.rag.stamp import AGAIN, STAMP, read_stamp

COLLECTION = "lore"
BATCH = 4096  # rows given to Chroma at once; it takes no more than 5,461
EVERYTHING = Filter()
WIDER = 4  # times as many passages are looked at before a filter is left to Chroma
# How many candidates a search keeps. With Chroma's 100 the nearest of 15,000 sentences was missed in a fifth of the questions; with
# 800 in none of 108, and it costs a millisecond more.
EF_SEARCH = 800


@dataclass(frozen=True)
class Hit:
    """A passage found. distance: cosine, 0 (same direction) to 2, of the nearest of its vectors. score: higher is better.

    found_by: dense, words, both, or neighbour (it stands beside one that was found, and has that one's distance).
    name: what the index knows the passage by.
    """

    passage: Passage
    distance: float
    score: float = 0.0
    found_by: str = "dense"
    name: str = ""


@dataclass(frozen=True)
class Index:
    """An open index. count: passages in it. stamp: embedding_model, dimension, chunks, vectors, chunker and the writer's own."""

    folder: Path
    stamp: Mapping[str, Any]
    count: int
    collection: Any = field(repr=False)
    client: Any = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    handle: int = field(repr=False)

    def search(self, vector: Vectors, top_k: int, only: Filter = EVERYTHING) -> list[Hit]:
        """The passages nearest to the vector (dimension,), nearest first, at most top_k. Safe to call from several threads.

        A passage is as near as the nearest of its vectors. only: a filter whose sources are spelt out.
        """
        wanted = min(top_k, self.count)
        nearest = self._allowed(vector, wanted, only) if only else self._nearest(vector, wanted, None)
        found = self.catalogue.passages(nearest)
        return [Hit(found[name], distance, name=name) for name, distance in nearest.items()]

    def distances(self, vector: Vectors, names: Sequence[str]) -> dict[str, float]:
        """How far each of these passages is."""
        owners = {row: name for name in names for row in self.catalogue.vector_names(name)}
        if not owners:
            return {}
        found = self.collection.get(ids=list(owners), include=["embeddings"])
        vectors = np.asarray(found["embeddings"])
        near = vectors @ vector / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector))
        distances: dict[str, float] = {}
        for row, likeness in zip(found["ids"], near, strict=True):
            distances[owners[row]] = min(distances.get(owners[row], 2.0), max(0.0, 1.0 - float(likeness)))
        return distances

    def vectors_of(self, key: str) -> tuple[list[str], Vectors]:
        """What is embedded of a file: (texts, float32 (texts, dimension))."""
        texts, owners = searchable(self.catalogue.file(key))
        rows = row_names(key, owners)
        place: dict[str, Any] = {}
        for few in _batches(len(rows)):
            found = self.collection.get(ids=rows[few], include=["embeddings"])
            place |= dict(zip(found["ids"], found["embeddings"], strict=True))
        return texts, np.asarray([place[row] for row in rows], dtype=np.float32)

    def _allowed(self, vector: Vectors, wanted: int, only: Filter) -> dict[str, float]:
        """As _nearest, of the passages that the filter lets through.

        Chroma's own filter looks at every row. So it is asked only where too few of the nearest are let through.
        """
        reach = min(WIDER * wanted, self.count)
        nearest = self._nearest(vector, reach, None)
        files = self.catalogue.allowed({name.partition(":")[0] for name in nearest}, only)
        let = {name: distance for name, distance in nearest.items() if name.partition(":")[0] in files}
        if len(let) >= wanted or reach == self.count:
            return dict(list(let.items())[:wanted])
        return self._nearest(vector, wanted, _where(only))

    def _nearest(self, vector: Vectors, wanted: int, where: dict[str, Any] | None) -> dict[str, float]:
        """Name of a passage -> its distance, for the `wanted` nearest passages, nearest first."""
        asked = wanted * 4
        while True:
            asked = min(asked, self.stamp["vectors"])
            found = self.collection.query(query_embeddings=[vector], n_results=asked, where=where, include=["distances"])
            nearest: dict[str, float] = {}
            for name, distance in sorted(zip(found["ids"][0], found["distances"][0], strict=True), key=lambda row: row[1]):
                nearest.setdefault(name.partition(".")[0], max(0.0, float(distance)))  # rounding can give just below 0
            if len(nearest) >= wanted or asked == self.stamp["vectors"] or len(found["ids"][0]) < asked:
                return dict(list(nearest.items())[:wanted])
            asked *= 4

    def close(self) -> None:
        self.catalogue.close()
        self.client.close()
        os.close(self.handle)


class IndexWriter:
    """Makes an index in a folder: a new one, or a copy of an earlier one in which files are taken out and put in.

    previous: a finished index that has the same kind of vectors. The folder may be renamed after finish.
    """

    def __init__(self, folder: Path, previous: Path | None = None) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # what an interrupted run left
        self.folder, self.removed = folder, 0
        self._rows, self._vectors, self._facts = list[str](), list[Vectors](), list[dict[str, str | bool]]()
        if previous:
            self.removed = read_stamp(previous)["removed"]
            shutil.copytree(previous, folder, ignore=shutil.ignore_patterns(STAMP))
        folder.mkdir(parents=True, exist_ok=True)
        self.catalogue = CatalogueWriter(folder / FILE)
        self._client = _client(folder)
        # Without embedding_function=None Chroma records a default that it would fetch from the network.
        self._collection = self._client.get_or_create_collection(
            COLLECTION, configuration={"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}}, embedding_function=None
        )

    def add(self, key: str, passages: Sequence[Passage], vectors: Vectors, owners: Sequence[int], problem: str = "") -> None:
        """Puts a file in. owners: for each row of vectors the number of its passage; each has at least one. problem: what was wrong."""
        counts = [0] * len(passages)
        for owner in owners:
            counts[owner] += 1
        if len(owners) != len(vectors) or not all(counts):
            raise ValueError(f"{len(passages)} passages, {len(vectors)} vectors, {len(owners)} owners")
        self.catalogue.add(key, passages, counts, problem)
        self._rows += row_names(key, owners)
        self._vectors.append(vectors)
        self._facts += [_facts(passages[0])] * len(owners)
        if len(self._rows) >= BATCH:
            self._write()

    def remove(self, keys: Iterable[str]) -> None:
        names = [name for key in keys for name in self.catalogue.remove(key)]
        self.removed += len(names)
        for rows in _batches(len(names)):
            self._collection.delete(ids=names[rows])

    def _write(self) -> None:
        """Gives Chroma what was collected: many small files cost it as much as few large ones only if they come together."""
        vectors = np.concatenate(self._vectors) if self._vectors else np.empty((0, 0), np.float32)
        for rows in _batches(len(self._rows)):
            self._collection.add(ids=self._rows[rows], embeddings=vectors[rows], metadatas=self._facts[rows])
        self._rows, self._vectors, self._facts = [], [], []

    def finish(self, stamp: Mapping[str, Any], dimension: int) -> dict[str, Any]:
        """Writes the stamp, with what is known here added to it."""
        self._write()
        self._client.close()
        chunks, vectors = self.catalogue.finish()
        added = {"dimension": dimension, "chunks": chunks, "vectors": vectors, "chunker": CHUNKER_VERSION, "removed": self.removed}
        whole = {**stamp, **added}
        write_whole(self.folder / STAMP, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return whole

    def close(self) -> None:
        """Lets go of the folder without finishing."""
        self._client.close()
        self.catalogue.close()


def write_index(
    folder: Path, passages: Sequence[Passage], vectors: Vectors, stamp: Mapping[str, Any], owners: Sequence[int] | None = None
) -> None:
    """Writes a whole index at once. Passages of one source stand together.

    vectors: float32 (n, dimension). owners: for each vector the number of its passage, in order, each passage at least once;
    None where passages and vectors go together one by one. stamp: at least embedding_model.
    Raises LorewrightError when there is nothing to index.
    """
    if not passages:
        raise LorewrightError("no passages to index", where=str(folder), remedy="put text into the lore folders")
    owning = np.arange(len(passages)) if owners is None else np.asarray(owners)
    if len(vectors) != len(owning) or sorted(set(owning.tolist())) != list(range(len(passages))):
        raise ValueError(f"{len(passages)} passages, {len(vectors)} vectors, {len(owning)} owners")
    writer = IndexWriter(folder)
    begin = 0
    for source, group in groupby(passages, key=lambda passage: passage.source):
        own = list(group)
        rows = np.flatnonzero((owning >= begin) & (owning < begin + len(own)))
        key = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        writer.add(key, own, vectors[rows], (owning[rows] - begin).tolist())
        begin += len(own)
    writer.finish(stamp, vectors.shape[1])


def open_index(folder: Path) -> Index:
    """Opens a finished index; until it is closed, nobody removes it.

    Raises LorewrightError when it is missing, of another kind, or does not fit its stamp.
    """
    stamp = read_stamp(folder)
    if not (folder / "chroma.sqlite3").is_file():  # Chroma would make an empty one
        raise LorewrightError("the lore index has lost its database", where=str(folder), remedy=AGAIN)
    try:
        handle = hold_folder(folder)
    except OSError as problem:
        raise LorewrightError("the lore index is just being removed", where=str(folder), remedy=AGAIN) from problem
    # Chroma opens files later too, and takes two folders of one name for one: the handle means this folder whatever its name.
    here = Path(f"/proc/self/fd/{handle}")
    try:
        client = _client(here)
    except BaseException as problem:
        os.close(handle)
        _let_through(problem)
        raise LorewrightError(f"the lore index cannot be opened: {problem}", where=str(folder), remedy=AGAIN) from problem
    try:
        collection = _collection(client, folder, stamp)
        catalogue = open_catalogue(here)
    except BaseException as problem:
        client.close()
        os.close(handle)
        if isinstance(problem, sqlite3.Error):
            what = f"the passages of the lore index cannot be read: {problem}"
            raise LorewrightError(what, where=str(folder), remedy=AGAIN) from problem
        raise
    return Index(folder, stamp, stamp["chunks"], collection, client, catalogue, handle)


def _collection(client: Any, folder: Path, stamp: Mapping[str, Any]) -> Any:
    """The vectors, loaded. Raises LorewrightError when they cannot be read or are not as many as the stamp says."""
    try:
        collection = client.get_collection(COLLECTION, embedding_function=None)
        # A query reads the files while other threads go on; without it count would, and hold them all up.
        collection.query(query_embeddings=[np.ones(stamp["dimension"], np.float32)], n_results=1, include=["distances"])
        count = collection.count()
    except BaseException as problem:
        _let_through(problem)
        raise LorewrightError(f"the lore index cannot be read: {problem}", where=str(folder), remedy=AGAIN) from problem
    if count != stamp["vectors"]:
        raise LorewrightError(f"the index holds {count} vectors, its stamp says {stamp['vectors']}", where=str(folder), remedy=AGAIN)
    return collection


def _let_through(problem: BaseException) -> None:
    """Chroma raises kinds of its own, and where its Rust part panics one that is no Exception: an interrupt is none of them."""
    if isinstance(problem, KeyboardInterrupt | SystemExit):
        raise problem


def _batches(count: int) -> Iterator[slice]:
    for start in range(0, count, BATCH):
        yield slice(start, start + BATCH)


def _client(folder: Path) -> Any:
    try:
        return chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    except BaseException:  # Chroma keeps what it could not start, and would give it out for the next folder of this name
        SharedSystemClient._identifier_to_system.pop(str(folder), None)
        raise


def _facts(passage: Passage) -> dict[str, str | bool]:
    """What Chroma can filter by: a file's category, source and tags."""
    return {"category": passage.category, "source": passage.source} | {f"tag:{tag}": True for tag in passage.tags}


def _where(only: Filter) -> dict[str, Any] | None:
    """The filter as Chroma takes it."""
    conditions: list[dict[str, Any]] = []
    conditions += [{"category": {"$in": list(only.categories)}}] if only.categories else []
    conditions += [{"source": {"$in": list(only.sources)}}] if only.sources else []
    tags = [{f"tag:{tag}": True} for tag in only.tags]
    conditions += [{"$or": tags} if len(tags) > 1 else tags[0]] if tags else []
    return {"$and": conditions} if len(conditions) > 1 else conditions[0] if conditions else None
