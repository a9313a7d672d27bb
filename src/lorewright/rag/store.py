"""The index of one lore collection: a Chroma database in a folder of its own, with a stamp that says how it was made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings

from lorewright.errors import LorewrightError
from lorewright.rag.chunk import CHUNKER_VERSION, Passage
from lorewright.rag.embed import Vectors

COLLECTION = "lore"
STAMP = "stamp.json"
BATCH = 1000
AGAIN = "ingest the lore again"


@dataclass(frozen=True)
class Hit:
    """A passage found. distance: cosine, 0 (same direction) to 2. score: higher is better. found_by: dense, words, both or neighbour."""

    passage: Passage
    distance: float
    score: float = 0.0
    found_by: str = "dense"


@dataclass(frozen=True)
class Index:
    """An open index. count: passages in it. stamp: embedding_model, dimension, chunks, vectors, chunker and the writer's own."""

    folder: Path
    stamp: Mapping[str, Any]
    count: int
    collection: Any = field(repr=False)
    client: Any = field(repr=False)

    def search(self, vector: Vectors, top_k: int) -> list[Hit]:
        """The passages nearest to the vector (dimension,), nearest first, at most top_k. Safe to call from several threads.

        A passage is as near as the nearest of its vectors.
        """
        nearest = self._nearest(vector, min(top_k, self.count))
        found = self.collection.get(ids=list(nearest), include=["documents", "metadatas"])
        rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
        hits = [Hit(_passage(text, facts), nearest[name]) for name, text, facts in rows]
        return sorted(hits, key=lambda hit: hit.distance)

    def _nearest(self, vector: Vectors, wanted: int) -> dict[str, float]:
        """Row name of a passage -> its distance, for the `wanted` nearest passages."""
        asked = wanted * 8
        while True:
            asked = min(asked, self.stamp["vectors"])
            found = self.collection.query(query_embeddings=[vector], n_results=asked, include=["distances"])
            nearest: dict[str, float] = {}
            for name, distance in sorted(zip(found["ids"][0], found["distances"][0], strict=True), key=lambda row: row[1]):
                nearest.setdefault(name.partition(".")[0], max(0.0, float(distance)))  # rounding can give just below 0
            if len(nearest) >= wanted or asked == self.stamp["vectors"]:
                return dict(list(nearest.items())[:wanted])
            asked *= 4

    def close(self) -> None:
        self.client.close()


def write_index(
    folder: Path, passages: Sequence[Passage], vectors: Vectors, stamp: Mapping[str, Any], owners: Sequence[int] | None = None
) -> None:
    """Writes an index; the stamp comes last, so that a folder with a stamp is whole. The folder may be renamed afterwards.

    vectors: float32 (n, dimension). owners: for each vector the number of its passage, in order, each passage at least once;
    None where passages and vectors go together one by one. stamp: at least embedding_model; what is known here is added.
    Raises LorewrightError when there is nothing to index.
    """
    if not passages:
        raise LorewrightError("no passages to index", where=str(folder), remedy="put .md or .txt files with text into the lore folders")
    owners = range(len(passages)) if owners is None else owners
    if vectors.shape[0] != len(owners) or sorted(set(owners)) != list(range(len(passages))):
        raise ValueError(f"{len(passages)} passages, {vectors.shape[0]} vectors, {len(owners)} owners")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).unlink(missing_ok=True)
    with _client(folder) as client:
        if any(found.name == COLLECTION for found in client.list_collections()):
            client.delete_collection(COLLECTION)  # what an interrupted run left
        # Without embedding_function=None Chroma records a default that it would fetch from the network.
        collection = client.create_collection(COLLECTION, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None)
        names = _row_names(owners)
        whole = [row for row, name in enumerate(names) if "." not in name]
        for rows in _batches(whole):
            batch = [passages[owners[row]] for row in rows]
            collection.add(
                ids=[names[row] for row in rows],
                embeddings=vectors[rows],
                documents=[passage.text for passage in batch],
                metadatas=[_facts(passage) for passage in batch],
            )
        for rows in _batches([row for row, name in enumerate(names) if "." in name]):
            collection.add(ids=[names[row] for row in rows], embeddings=vectors[rows])
    added = {"dimension": int(vectors.shape[1]), "chunks": len(passages), "vectors": len(owners), "chunker": CHUNKER_VERSION}
    _write_whole(folder / STAMP, json.dumps({**stamp, **added}, indent=2, ensure_ascii=False) + "\n")


def open_index(folder: Path) -> Index:
    """Opens what write_index wrote. Raises LorewrightError when it is missing, of another kind, or does not fit its stamp."""
    stamp = _read_stamp(folder)
    if not (folder / "chroma.sqlite3").is_file():  # Chroma would make an empty one
        raise LorewrightError("the lore index has lost its database", where=str(folder), remedy=AGAIN)
    try:
        client = _client(folder)
    except Exception as problem:  # Chroma raises kinds of its own, and those of its Rust part
        raise LorewrightError(f"the lore index cannot be opened: {problem}", where=str(folder), remedy=AGAIN) from problem
    try:
        collection = client.get_collection(COLLECTION, embedding_function=None)
        count = collection.count()
    except Exception as problem:
        client.close()
        raise LorewrightError(f"the lore index cannot be read: {problem}", where=str(folder), remedy=AGAIN) from problem
    if count != stamp["vectors"]:
        client.close()
        raise LorewrightError(f"the index holds {count} vectors, its stamp says {stamp['vectors']}", where=str(folder), remedy=AGAIN)
    return Index(folder, stamp, stamp["chunks"], collection, client)


def _row_names(owners: Sequence[int]) -> list[str]:
    """A passage's first vector carries its number, text and facts; its others are `number.1`, `number.2` …"""
    seen: dict[int, int] = {}
    names = []
    for owner in owners:
        count = seen.get(owner, 0)
        seen[owner] = count + 1
        names.append(f"{owner:08d}.{count}" if count else f"{owner:08d}")
    return names


def _batches(rows: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _client(folder: Path) -> Any:
    return chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))


def _read_stamp(folder: Path) -> dict[str, Any]:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LorewrightError("no lore index there", where=str(folder), remedy="ingest the lore first") from None
    except (OSError, ValueError) as problem:
        raise LorewrightError(f"its stamp cannot be read: {problem}", where=str(folder / STAMP), remedy=AGAIN) from None
    if not isinstance(stamp, dict) or not {"embedding_model", "dimension", "chunks", "vectors"} <= stamp.keys():
        raise LorewrightError("this is not the stamp of a lore index", where=str(folder / STAMP), remedy=AGAIN)
    return stamp


def _write_whole(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.tmp")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _facts(passage: Passage) -> dict[str, str]:
    facts = asdict(passage)
    del facts["text"]
    return facts | {"tags": ", ".join(passage.tags)}


def _passage(text: str, facts: Mapping[str, Any]) -> Passage:
    tags = tuple(tag for tag in facts["tags"].split(", ") if tag)
    return Passage(text, facts["source"], facts["category"], facts["title"], facts["heading"], tags)
