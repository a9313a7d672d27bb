"""A manuscript's way from raw text to the paragraphs that are trained on, block by block; what goes is recorded."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from lorewright.data.blocks import blocks
from lorewright.data.clean import clean, controls, odd_signs, paragraphs
from lorewright.data.duplicates import LONG, Seen, keys_of, settled
from lorewright.data.marks import without_marks, without_note_marks
from lorewright.data.matter import Matter, Numbered
from lorewright.data.near_duplicates import NearDuplicates
from lorewright.data.removals import Removals
from lorewright.data.structure import SCENE_BREAK, heading
from lorewright.recipe import Clean

NUMBERS = 1 << 32  # a place is document * NUMBERS + paragraph


@dataclass
class Cleaning:
    """Cleans documents one after the other, by the recipe's settings; what repeats is found across all of them.

    A context manager: it keeps paragraphs in a temporary file below folder while it looks for near duplicates.
    """

    settings: Clean
    removals: Removals
    folder: Path
    _names: list[str] = field(default_factory=list)
    _seen: Seen = field(default_factory=Seen)
    _near: NearDuplicates | None = None
    _near_places: array[int] = field(default_factory=lambda: array("q"))

    def __enter__(self) -> Cleaning:
        if self.settings.near_duplicates:
            self._near = NearDuplicates(self.settings.near_duplicates, tempfile.TemporaryFile(dir=self.folder))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._near:
            self._near.store.close()

    def document(self, name: str, source: str | Path) -> Iterator[list[str]]:
        """The document's paragraphs, headings and scene breaks that stay, a list for every block. source: its text, or the file with it."""
        self._names.append(name)
        number = 0
        matter = Matter(lambda at, kind, text: self.removals.add(name, at, kind, text)) if self.settings.front_matter else None
        for block in blocks(source):
            items = list(enumerate(self._texts(name, block, number), number + 1))
            number += len(items)
            yield self._unrepeated(name, matter.feed(items) if matter else items)
        if matter:
            yield self._unrepeated(name, matter.end())

    def _texts(self, name: str, block: str, number: int) -> list[str]:
        odd = odd_signs(block)
        gone = controls(block) if odd else ""
        if gone:
            self.removals.add(name, number + 1, "control", repr(gone[:20])[1:-1], times=len(gone))
        text = clean(block, odd)
        if self.settings.front_matter and "[^" in text:  # the notes go, and so do the marks that lead to them
            text = without_note_marks(text, lambda before, mark: self.removals.add(name, number + before + 1, "note mark", mark))
        if self.settings.marks:
            text = without_marks(text, lambda before, mark: self.removals.add(name, number + before + 1, "mark", mark))
        return paragraphs(text)

    def _unrepeated(self, name: str, items: list[Numbered]) -> list[str]:
        kept = self._once(name, items) if self._near or self.settings.duplicates else items
        if self.settings.headings:
            for number, text in kept:
                if len(text) <= 2 * LONG and heading(text):
                    self.removals.add(name, number, "heading", text)
        return [text for _, text in kept]

    def _once(self, name: str, items: list[Numbered]) -> list[Numbered]:
        """The paragraphs that stood nowhere before."""
        if not items:
            return items
        texts = [text for _, text in items]
        long = np.array([len(text) >= LONG or (3 * len(text) >= LONG and len(text.encode()) >= LONG) for text in texts])
        first = (len(self._names) - 1) * NUMBERS
        places = np.array([first + number for number, _ in items], np.int64)
        same = self._seen.before(keys_of(texts), places) if self.settings.duplicates else np.full(len(texts), -1, np.int64)
        near = np.full(len(texts), -1, np.int64)
        if self._near:
            asked = np.flatnonzero(long & (same < 0))
            self._near_places.extend(places[asked].tolist())
            near[asked] = [self._near_places[at] if at >= 0 else -1 for at in self._near.find([texts[at].encode() for at in asked])]
        gone = settled(np.maximum(same, near), long)
        if (gone < 0).all():
            return items
        for (number, text), place, exact in zip(items, gone, same, strict=True):
            if place >= 0 and text != SCENE_BREAK:
                like = f"{self._names[int(place) // NUMBERS]}: paragraph {int(place) % NUMBERS}"
                self.removals.add(name, number, "duplicate" if exact >= 0 else "near duplicate", text, like=like)
        return [item for item, place in zip(items, gone, strict=True) if place < 0]
