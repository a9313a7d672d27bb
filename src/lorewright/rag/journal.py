"""Vectors that were made for an index which is not finished: kept as they come, so that nothing is embedded twice after a kill."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lorewright.rag.embed import Vectors

BLOCK = 256  # texts embedded between two writes: what a kill can cost
Progress = Callable[[int], None]


class PassageEmbedder(Protocol):
    @property
    def dimension(self) -> int: ...

    def passages(self, texts: Sequence[str]) -> Vectors: ...


class Journal:
    """A file of records: 16 bytes of the text's hash, then its float32 vector. One writer; a record cut off at the end is dropped."""

    def __init__(self, file: Path, embedder: PassageEmbedder) -> None:
        self._embedder = embedder
        self._kind: Any = np.dtype([("text", "V16"), ("vector", "<f4", (embedder.dimension,))])
        file.parent.mkdir(parents=True, exist_ok=True)
        self._out = open(file, "ab")
        self._out.truncate(self._out.tell() // self._kind.itemsize * self._kind.itemsize)
        size = os.fstat(self._out.fileno()).st_size
        self._made = np.memmap(file, self._kind, "r") if size else np.empty(0, self._kind)
        self.embedded = 0  # since it was opened
        self._known = {text.tobytes(): number for number, text in enumerate(self._made["text"])}

    def vectors(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """float32 (len(texts), dimension), from the journal or made now. progress: called with how many more are there."""
        names = list(map(_name, texts))
        vectors = np.empty((len(texts), self._embedder.dimension), dtype=np.float32)
        missing: dict[bytes, list[int]] = {}
        for number, name in enumerate(names):
            if name in self._known:
                vectors[number] = self._made[self._known[name]]["vector"]
            else:
                missing.setdefault(name, []).append(number)
        progress(len(texts) - sum(map(len, missing.values())))
        # Texts of like length together: a batch is padded to its longest.
        order = sorted(missing, key=lambda name: len(texts[missing[name][0]]))
        for start in range(0, len(order), BLOCK):
            block = order[start : start + BLOCK]
            made = self._embedder.passages([texts[missing[name][0]] for name in block])
            self._append(block, made)
            self.embedded += len(block)
            for name, vector in zip(block, made, strict=True):
                vectors[missing[name]] = vector
            progress(sum(len(missing[name]) for name in block))
        return vectors

    def keep(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Writes down vectors that were made before."""
        self._append(list(map(_name, texts)), vectors)

    def close(self) -> None:
        self._out.close()

    def _append(self, names: list[bytes], vectors: Vectors) -> None:
        records = np.empty(len(names), self._kind)
        records["text"], records["vector"] = np.array(names, dtype="V16"), vectors
        self._out.write(records.tobytes())
        self._out.flush()
        os.fsync(self._out.fileno())


def _name(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
