"""Finds paragraphs that are nearly one that stood before: MinHash over runs of five words finds candidates, the words decide.

Broder, "On the resemblance and containment of documents" (1997); candidates by bands as in Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3. Everything up to the candidates is arithmetic on arrays, a block of text at a time.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lorewright.data.duplicates import SeenTags

Words32 = npt.NDArray[np.uint32]
Words64 = npt.NDArray[np.uint64]
RUN = 5  # words in a shingle
BATCH = 1 << 18
ROWS = 3  # MinHash values in a band
LEAST = 12  # shingles; a paragraph of fewer is too short to be nearly another
LETTERS = np.array([chr(byte).isalnum() if byte < 128 else True for byte in range(256)])
_MIX = tuple(np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_BASE = 0x100000001B3
_INVERSE = pow(_BASE, -1, 2**64)
_WORD = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


@dataclass
class NearDuplicates:
    """Which paragraphs share at least threshold (Jaccard, 0.5 to 1) of their five-word runs with an earlier one.

    store: an empty file, open for reading and writing in binary, that keeps the paragraphs, so that memory need not.
    """

    threshold: float
    store: BinaryIO
    _seen: SeenTags = field(default_factory=SeenTags)
    _ends: array[int] = field(default_factory=lambda: array("q", [0]))
    _roots: dict[int, int] = field(default_factory=dict)

    def find(self, raw: Sequence[bytes]) -> list[int]:
        """For each paragraph (UTF-8) the number of the one it resembles, or -1; numbers count all paragraphs ever given, from 0."""
        return [found for few in _batches(raw) for found in self._find(few)]

    def _find(self, raw: Sequence[bytes]) -> list[int]:
        first = len(self._ends) - 1
        for one in raw:
            self._ends.append(self._ends[-1] + len(one))
        self.store.seek(0, os.SEEK_END)
        self.store.write(b"".join(raw))
        found = [-1] * len(raw)
        signatures, which = signed(raw, ROWS * self.bands)
        for at, candidates in self._candidates(signatures, which + first):
            near = next((known for known in candidates if self._alike(raw[at - first].decode(), known)), -1)
            if near >= 0:
                self._roots[at] = found[at - first] = near
        return found

    @property
    def bands(self) -> int:
        """With these a pair at the threshold 0.8 is seen with 98 %, at 0.5 with 80 %: 1 - (1 - s^ROWS)^bands."""
        return 6 if self.threshold >= 0.75 else 12

    def _candidates(self, signatures: Words32, numbers: npt.NDArray[np.int64]) -> list[tuple[int, list[int]]]:
        """(paragraph, earlier ones that share a band with it) where there are any."""
        places = []
        for band in range(self.bands):
            keys = np.full(len(numbers), band + 1, np.uint64)
            for row in signatures[band * ROWS : (band + 1) * ROWS]:
                keys = _mixed(keys * _MIX[0] + row.astype(np.uint64))
            places.append(self._seen.before(keys, numbers))
        table = np.stack(places) if places else np.empty((0, 0), np.int64)
        hit = np.flatnonzero((table >= 0).any(axis=0))
        return [(int(numbers[at]), self._distinct(table[:, at])) for at in hit]

    def _distinct(self, known: npt.NDArray[np.int64]) -> list[int]:
        """A paragraph that was itself taken out stands for the one it resembled."""
        return list(dict.fromkeys(self._roots.get(int(one), int(one)) for one in known if one >= 0))

    def _alike(self, text: str, known: int) -> bool:
        self.store.flush()
        self.store.seek(self._ends[known])
        return resemblance(text, self.store.read(self._ends[known + 1] - self._ends[known]).decode()) >= self.threshold


def _batches(raw: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The paragraphs in order, about BATCH bytes at a time: the arrays over them are many times as large."""
    begin, size = 0, 0
    for at, one in enumerate(raw):
        size += len(one)
        if size >= BATCH:
            yield raw[begin : at + 1]
            begin, size = at + 1, 0
    if begin < len(raw):
        yield raw[begin:]


def resemblance(one: str, other: str) -> float:
    """Share of five-word runs that two texts have in common (Jaccard, 0 to 1); each Chinese, Japanese or Korean sign is a word."""
    first, second = _runs(one), _runs(other)
    return len(first & second) / max(1, len(first | second))


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return set(zip(*(words[at:] for at in range(RUN)), strict=False))


def signed(texts: Sequence[bytes], count: int) -> tuple[Words32, npt.NDArray[np.int64]]:
    """(count x paragraphs MinHash values, which of the texts they belong to); texts with too few words are left out."""
    shingles, owner = _shingles(texts)
    amounts = np.bincount(owner, minlength=len(texts))
    kept = amounts >= LEAST
    shingles, owner = shingles[kept[owner]], owner[kept[owner]]
    which = np.flatnonzero(kept)
    if not len(which):
        return np.empty((count, 0), np.uint32), which
    starts = np.searchsorted(owner, which)
    random = np.random.default_rng(5)
    odd = random.integers(0, 2**31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    flips = random.integers(0, 2**32, count, dtype=np.uint32)
    return np.stack([np.minimum.reduceat((shingles ^ flip) * factor, starts) for factor, flip in zip(odd, flips, strict=True)]), which


def _shingles(texts: Sequence[bytes]) -> tuple[Words32, npt.NDArray[np.int64]]:
    """(a hash of each run of words, the text it stands in), in order."""
    data = np.frombuffer(b"\n".join(texts).lower() + b"\n", np.uint8)
    begin, end = _words(data)
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data.astype(np.uint64) + np.uint64(1)) * _powers(_BASE, len(data)), out=sums[1:])
    words = _mixed((sums[end] - sums[begin]) * _powers(_INVERSE, len(data))[begin])  # the same wherever a word stands
    if len(words) < RUN:
        return np.empty(0, np.uint32), np.empty(0, np.int64)
    sizes = np.array([len(text) + 1 for text in texts])
    owner = np.searchsorted(np.cumsum(sizes), begin, side="right")
    total = words[: len(words) - RUN + 1].copy()
    for step in range(1, RUN):
        total = total * _MIX[1] + words[step : len(words) - RUN + 1 + step]
    inside = owner[: len(total)] == owner[RUN - 1 :]
    return (_mixed(total) >> np.uint64(32)).astype(np.uint32)[inside], owner[: len(total)][inside]


def _words(data: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where words begin and end in UTF-8: runs of letters and digits; each sign from U+3000 on is one; typographic marks are none."""
    letter = LETTERS[data]
    mark = np.flatnonzero((data[:-2] == 0xE2) & (data[1:-1] == 0x80))
    for step in range(3):
        letter[mark + step] = False
    before = np.concatenate([[False], letter[:-1]])
    opens = letter & (~before | ((data >= 0xE3) & (data <= 0xED)))
    after = np.concatenate([~letter[1:] | opens[1:], [True]])
    return np.flatnonzero(opens), np.flatnonzero(letter & after) + 1


_POWERS: dict[int, Words64] = {}


def _powers(base: int, count: int) -> Words64:
    """The first powers of a base, modulo 2^64; kept for the next call."""
    known = _POWERS.get(base)
    if known is None or len(known) < count:
        factors = np.full(count * 5 // 4, base, np.uint64)
        factors[0] = 1
        known = _POWERS[base] = np.cumprod(factors, dtype=np.uint64)
    return known[:count]


def _mixed(values: Words64) -> Words64:
    """Every bit of a value reaches every other (the finish of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX[1]
    values = (values ^ (values >> np.uint64(27))) * _MIX[2]
    return values ^ (values >> np.uint64(31))
