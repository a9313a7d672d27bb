"""Counts tokens word by word, with a memory: a tokenizer that never joins two words need not read a word twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

Exact = Callable[[Sequence[str]], list[int]]
CHECKED = 48  # paragraphs of a batch that are counted in both ways
MOST = 300_000  # words remembered
DENSE = 24  # signs a word; a text of longer ones has no spaces worth cutting at


@dataclass
class WordCounts:
    """Lengths of texts in tokens. In every batch some are counted whole too; once a sum is wrong, all are counted whole from there on.

    exact: the tokenizer's own counts.
    """

    exact: Exact
    additive: bool = True
    _known: dict[str, int] = field(default_factory=dict)

    def __call__(self, texts: Sequence[str]) -> list[int]:
        if not self.additive or len(texts) < CHECKED // 4:
            return self.exact(texts)
        whole = [at for at, text in enumerate(texts) if at < CHECKED or not _spaced(text)]
        counts = dict(zip(whole, self.exact([texts[at] for at in whole]), strict=True))
        rows = [[] if at in counts and (at >= CHECKED or not _spaced(text)) else text.split(" ") for at, text in enumerate(texts)]
        known = self._learned(rows)
        sums = [known[f"\0{row[0]}"] + sum([known[word] for word in row[1:]]) if row else counts[at] for at, row in enumerate(rows)]
        if any(sums[at] != counts[at] for at in counts):
            self.additive = False
            return self.exact(texts)
        return sums

    def _learned(self, rows: list[list[str]]) -> dict[str, int]:
        """The counts of all these words: with the space before them, and under a mark of their own where a text begins with them."""
        if len(self._known) > MOST:
            self._known.clear()
        words = set(chain.from_iterable(row[1:] for row in rows)) - self._known.keys()
        firsts = {f"\0{row[0]}" for row in rows if row} - self._known.keys()
        asked = [*words, *firsts]
        counts = self.exact([*(f" {word}" for word in words), *(first[1:] for first in firsts)]) if asked else []
        self._known.update(zip(asked, counts, strict=True))
        return self._known


def _spaced(text: str) -> bool:
    return "  " not in text and len(text) <= DENSE * (text.count(" ") + 1)
