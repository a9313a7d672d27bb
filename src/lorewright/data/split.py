"""Cuts a document into passages: at chapters and scene breaks first, then between paragraphs, then between sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from lorewright.data.clean import paragraphs
from lorewright.data.measure import Measure, as_measure
from lorewright.data.sentences import endings, parts, sentences
from lorewright.data.structure import SCENE_BREAK, heading
from lorewright.recipe import Chunk

__all__ = ["Cut", "Splitter", "sentences", "split"]

GAP = "\n\n"
HEADING = 200  # signs; nothing longer is one


class Piece(NamedTuple):
    """A paragraph or a part of one, or a boundary. gap: what joins it to the piece before. at: signs of the document before it.

    opens: for a boundary, `chapter` or `scene`; its text is then a scene break. chapter: that chapter's heading.
    head: a heading that stays in the text, and with what follows it. repeated: it stands in the passage before too.
    """

    text: str
    length: int
    gap: str = GAP
    at: int = 0
    opens: str = ""
    chapter: str = ""
    head: bool = False
    repeated: bool = False


class Cut(NamedTuple):
    """A passage: its text, its length in the chunk's unit (never below the true one), and where it stood.

    begin, end: the signs of the document it covers, what it repeats included. opens: what begins with it, a `chapter`, a
    `scene` or nothing. chapter: the heading it stands under.
    """

    text: str
    length: int
    begin: int
    end: int
    opens: str
    chapter: str


def split(text: str, chunk: Chunk, length: Callable[[str], int]) -> list[str]:
    """The passages of a cleaned text, headings kept; see Splitter. length: how long a text is in the chunk's unit."""
    splitter = Splitter(chunk, as_measure(length), headings=True)
    return [cut.text for cut in (*splitter.feed(paragraphs(text)), *splitter.end())]


@dataclass
class Splitter:
    """Takes a document's paragraphs as they come and gives its passages, none longer than chunk.max.

    None is shorter than chunk.min where the paragraphs allow it: what would be too short is joined to what stands before it in its
    scene, else to the next scene or chapter. An overlap repeats the last sentences of the passage before, never over a scene's end.
    headings: they stay in the text; else they only part it.
    """

    chunk: Chunk
    measure: Measure
    headings: bool = False
    _blank: int = field(init=False)
    _held: list[Piece] = field(default_factory=list)
    _total: int = 0
    _at: int = 0
    _opens: str = "chapter"
    _chapter: str = ""
    _last: tuple[list[Piece], Cut] | None = None

    def __post_init__(self) -> None:
        self._blank = self.measure.joint(GAP)

    def feed(self, texts: Sequence[str]) -> Iterator[Cut]:
        for text, length in zip(texts, self.measure.many(texts), strict=True):
            title = heading(text) if len(text) <= HEADING else ""
            if text == SCENE_BREAK or title:
                yield from self._boundary("chapter" if title else "scene", title)
                if self.headings and title:
                    yield from self._add(Piece(text, length, at=self._at, head=True))
            elif length <= self.chunk.max:
                yield from self._add(Piece(text, length, at=self._at))
            else:
                for number, (gap, part, size) in enumerate(parts(text, self.chunk.max, self.measure)):
                    yield from self._add(Piece(part, size, gap if number else GAP, self._at))

    def end(self) -> Iterator[Cut]:
        """What is left of the document."""
        yield from self._close()
        if self._last:
            yield self._last[1]
            self._last = None

    def _boundary(self, opens: str, title: str) -> Iterator[Cut]:
        if self._total >= self.chunk.min or (not self._opens and self._joins()):
            yield from self._close()
        if not self._held or all(piece.repeated for piece in self._held):
            self._held, self._total = [], 0
            self._opens = opens if self._opens != "chapter" else "chapter"
            self._chapter = title or self._chapter
        elif self._held[-1].opens:
            self._held[-1] = self._break(opens if opens == "chapter" else self._held[-1].opens, title or self._held[-1].chapter)
        else:
            yield from self._add(self._break(opens, title))

    def _break(self, opens: str, title: str) -> Piece:
        return Piece(SCENE_BREAK, self.measure(SCENE_BREAK), at=self._at, opens=opens, chapter=title)

    def _add(self, piece: Piece) -> Iterator[Cut]:
        self._held.append(piece)
        self._at += 0 if piece.opens else len(piece.text)
        self._total += self._cost(piece) if len(self._held) > 1 else piece.length
        while self._total > self.chunk.max + self.chunk.min:
            yield from self._take(self._fitting())

    def _cost(self, piece: Piece) -> int:
        return piece.length + (self._blank if piece.gap == GAP else self.measure.joint(piece.gap))

    def _sums(self, pieces: list[Piece]) -> list[int]:
        """How long the first, the first two … pieces are together."""
        blank, joint = self._blank, self.measure.joint
        costs = [piece.length + (blank if piece.gap == GAP else joint(piece.gap)) for piece in pieces]
        if costs:
            costs[0] = pieces[0].length
        return list(accumulate(costs))

    def _fitting(self) -> int:
        """How many pieces make the fullest passage; one that ends with a paragraph and is not much shorter is better."""
        sums = self._sums(self._held)
        least = 1 + self._held[0].repeated  # what is only repeated is no passage
        most = max([n for n in range(least, len(sums)) if sums[n - 1] <= self.chunk.max] or [least])
        enough = max(self.chunk.min, self.chunk.max // 2)
        ends = [n for n in range(least, most + 1) if self._clean_end(n) and sums[n - 1] >= enough]
        return ends[-1] if ends else most

    def _middle(self) -> int:
        """How many pieces make the first of two passages of about the same length; as many as fit when two are too few."""
        sums = self._sums(self._held)
        low, high = max(self.chunk.min, sums[-1] - self.chunk.max), min(self.chunk.max, sums[-1] - self.chunk.min)
        found = [n for n in range(1 + self._held[0].repeated, len(sums)) if low <= sums[n - 1] <= high]
        found = [n for n in found if self._clean_end(n)] or found
        return min(found, key=lambda n: abs(2 * sums[n - 1] - sums[-1])) if found else self._fitting()

    def _clean_end(self, count: int) -> bool:
        """Whether a paragraph ends there, and no heading."""
        return self._held[count].gap == GAP and not self._held[count - 1].head

    def _close(self) -> Iterator[Cut]:
        """A scene, a chapter or the document ends: all that is held goes out, in parts of about the same length."""
        while self._total > self.chunk.max and len(self._held) > 1:
            yield from self._take(self._middle())
        if self._held and self._joins():
            assert self._last
            (before, cut), self._last = self._last, None
            between = [self._break(self._opens, "")] if self._opens else []
            self._held = [*before, *between, *(piece for piece in self._held if not piece.repeated)]
            self._opens, self._chapter = cut.opens, cut.chapter
        while self._held and not all(piece.repeated for piece in self._held):
            yield from self._take(len(self._held))
        self._held, self._total = [], 0

    def _joins(self) -> bool:
        """Whether what is held is too short to stand alone and fits behind the passage before it."""
        if not self._last or self._total >= self.chunk.min:
            return False
        own = sum(self._cost(piece) for piece in self._held if not piece.repeated)
        between = self._cost(self._break("", "")) if self._opens else 0
        return self._last[1].length + between + own <= self.chunk.max

    def _take(self, count: int) -> Iterator[Cut]:
        """The first count pieces become a passage (fewer when they prove too long together); the passage before it goes out."""
        taken = _trimmed(self._held[:count])
        text, length = self._joined(taken)
        while length > self.chunk.max and count > 1:
            if count == 2 and self._held[0].repeated:
                del self._held[0]
            count -= 1
            taken = _trimmed(self._held[:count])
            text, length = self._joined(taken)
        rest = self._held[count:]
        if taken:
            if self._last:
                yield self._last[1]
            self._last = taken, Cut(text, length, taken[0].at, taken[-1].at + len(taken[-1].text), self._opens, self._chapter)
            self._opens = ""
        while rest and rest[0].opens:
            self._opens, self._chapter = rest[0].opens, rest[0].chapter or self._chapter
            rest = rest[1:]
        again = self._overlap(text, taken) if rest and taken and not self._opens else []
        if again and self._sums([*again, rest[0]])[-1] > self.chunk.max:
            again = []  # the next piece needs the room
        self._held = [*again, *rest]
        self._total = self._sums(self._held)[-1] if self._held else 0

    def _joined(self, pieces: list[Piece]) -> tuple[str, int]:
        """(text, length) of pieces; measured where their sum comes near the limit and is no exact one."""
        text = "".join(piece.text if number == 0 else piece.gap + piece.text for number, piece in enumerate(pieces))
        total = self._sums(pieces)[-1] if pieces else 0
        close = self.measure.slack and len(pieces) > 1 and total > self.chunk.max - self.measure.slack
        return text, self.measure(text) if close else total

    def _overlap(self, text: str, taken: list[Piece]) -> list[Piece]:
        """The last sentences of a passage, as many as the overlap holds."""
        if not self.chunk.overlap:
            return []
        fresh = len(text) - len(taken[0].text) if taken[0].repeated else len(text) - 1
        broken = text.rfind(SCENE_BREAK)
        signs = self.chunk.overlap * (1 if self.measure.unit == "characters" else 8)
        ends = endings(text, max(len(text) - fresh, broken + len(SCENE_BREAK) if broken >= 0 else 0), signs)
        fits = [end for end, length in zip(ends, self.measure.many(ends), strict=True) if length <= self.chunk.overlap]
        if not fits:
            return []
        kept = max(fits, key=len)
        at = taken[-1].at + len(taken[-1].text) - len(kept)
        return [Piece(kept, self.measure(kept), at=at, repeated=True)]


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """A passage neither begins nor ends with a scene break."""
    while pieces and pieces[-1].opens:
        pieces = pieces[:-1]
    while pieces and pieces[0].opens:
        pieces = pieces[1:]
    return pieces
