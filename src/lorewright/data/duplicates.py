"""Finds paragraphs that stood somewhere before, in the same document or another, in a few bytes of memory a paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Values = npt.NDArray[np.int64]
LONG = 120  # bytes of UTF-8; a shorter paragraph may well be said twice


MOST = 1 << 23  # bytes of keys in a sorted run; joining longer ones would take several times as much meanwhile
NUMBER = np.uint64((1 << 28) - 1)


@dataclass
class Seen:
    """Which 64-bit keys were given before, and the value that came with each first: sorted runs, joined when of like size."""

    runs: list[tuple[Keys, Values]] = field(default_factory=list)

    def before(self, keys: Keys, values: Values) -> Values:
        """For each key the value of its first appearance, in an earlier call or earlier in this one; -1 for a new key."""
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        found = np.full(len(unique), -1, np.int64)
        for known, held in self.runs:
            at = np.minimum(np.searchsorted(known, unique), len(known) - 1)
            found = np.where(known[at] == unique, held[at], found)
        self._add(unique[found < 0], values[first][found < 0])
        repeated = first[inverse] != np.arange(len(keys))
        return np.where(found[inverse] >= 0, found[inverse], np.where(repeated, values[first][inverse], -1))

    def _add(self, keys: Keys, values: Values) -> None:
        if len(keys):
            self.runs.append((keys, values))
        while _joins([keys for keys, _ in self.runs], MOST):
            (one, first), (other, second) = self.runs.pop(), self.runs.pop()
            joined = np.concatenate([one, other])
            order = np.argsort(joined, kind="stable")
            self.runs.append((joined[order], np.concatenate([first, second])[order]))


@dataclass
class SeenTags:
    """As Seen, in half the memory: only 36 bits of a key are compared, so now and then one is taken for another.

    The other 28 bits hold the number that came with it (of more than 268 million the lower bits).
    """

    runs: list[Keys] = field(default_factory=list)

    def before(self, keys: Keys, numbers: Values) -> Values:
        """For each key the number of its first appearance, in an earlier call or with a smaller number in this one; -1 for a new key."""
        entries = (keys & ~NUMBER) | (numbers.astype(np.uint64) & NUMBER)
        order = np.argsort(entries)
        entries = entries[order]
        tags = entries & ~NUMBER
        opens = np.concatenate([np.ones(min(1, len(tags)), bool), tags[1:] != tags[:-1]])
        unique = tags[opens]
        found = np.full(len(unique), -1, np.int64)
        for known in self.runs:
            hit = known[np.minimum(np.searchsorted(known, unique), len(known) - 1)]
            found = np.where(hit & ~NUMBER == unique, (hit & NUMBER).astype(np.int64), found)
        self._add(entries[opens][found < 0])
        group = np.cumsum(opens) - 1
        earlier = np.where(opens, -1, (entries[opens] & NUMBER).astype(np.int64)[group])
        answer = np.empty(len(keys), np.int64)
        answer[order] = np.where(found[group] >= 0, found[group], earlier)
        return answer

    def _add(self, entries: Keys) -> None:
        if len(entries):
            self.runs.append(entries)
        while _joins(self.runs, 4 * MOST):
            joined = np.concatenate([self.runs.pop(), self.runs.pop()])
            joined.sort()
            self.runs.append(joined)


def _joins(runs: list[Keys], most: int) -> bool:
    """Whether the last two runs are to be joined: of like size, and together not more than most bytes."""
    return len(runs) > 1 and 2 * len(runs[-1]) >= len(runs[-2]) and runs[-1].nbytes + runs[-2].nbytes <= most


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
