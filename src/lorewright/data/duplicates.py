"""Finds paragraphs that stood somewhere before, in the same document or another, in a few bytes of memory a paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Values = npt.NDArray[np.int64]
LONG = 120  # bytes of UTF-8; a shorter paragraph may well be said twice


@dataclass
class Seen:
    """Which 64-bit keys were given before, and the value that came with each first: sorted runs, joined when of like size."""

    runs: list[tuple[Keys, Values]] = field(default_factory=list)

    def before(self, keys: Keys, values: Values) -> Values:
        """For each key the value of its first appearance, in an earlier call or earlier in this one; -1 for a new key."""
        found = np.full(len(keys), -1, np.int64)
        for known, held in self.runs:
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            found = np.where(known[at] == keys, held[at], found)
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        earlier = first[inverse]
        repeated = (found < 0) & (earlier != np.arange(len(keys)))
        self._add(unique[found[first] < 0], values[first][found[first] < 0])
        return np.where(repeated, values[earlier], found)

    def _add(self, keys: Keys, values: Values) -> None:
        if len(keys):
            self.runs.append((keys, values))
        while len(self.runs) > 1 and 2 * len(self.runs[-1][0]) >= len(self.runs[-2][0]):
            (one, first), (other, second) = self.runs.pop(), self.runs.pop()
            joined = np.concatenate([one, other])
            order = np.argsort(joined, kind="stable")
            self.runs.append((joined[order], np.concatenate([first, second])[order]))


def settled(found: Values, long: npt.NDArray[np.bool_]) -> Values:
    """What is taken out in the end: short paragraphs only where the long ones next to them are, on each side that has one.

    found: the place of the paragraph that each repeats, or -1.
    """
    here = np.flatnonzero(long)
    if not len(here):
        return np.full(len(found), -1, np.int64)
    repeated = found[here] >= 0
    after = np.minimum(np.searchsorted(here, np.arange(len(found))), len(here) - 1)
    before = np.maximum(np.searchsorted(here, np.arange(len(found)), side="right") - 1, 0)
    return np.where(repeated[after] & repeated[before], found, -1)


def keys_of(texts: Sequence[str]) -> Keys:
    """A 64-bit value of each text, good for this process only."""
    return np.fromiter(map(hash, texts), np.int64, len(texts)).view(np.uint64)
