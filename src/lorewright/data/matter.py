"""Drops what stands before and after a book's text: title and copyright page, contents, notes, bibliography, index, figure lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lorewright.data.matter_shapes import TITLE, by_shape, is_entry, is_prose, is_rights, is_stray, leads, level, lines_of
from lorewright.data.structure import heading

Numbered = tuple[int, str]  # (a paragraph's number in the document, its text)
Told = Callable[[int, str, str], None]  # (number, kind, text)

HEAD = 60  # paragraphs in which a copyright page is looked for
MOST = 20_000  # paragraphs of a section that are held back to be judged
PROSE = 200  # characters; a whole paragraph of so many shows that the book's text has begun
LONG = {"notes": 3, "bibliography": 3, "index": 2}  # how many paragraphs of prose in a row end such a section


@dataclass
class Matter:
    """Takes a document's paragraphs as they come and gives back those that are the book's text.

    Nothing goes by its heading alone: what stands under it must look like contents, notes, entries. Prose is never dropped.
    told: called for every paragraph that was dropped.
    """

    told: Told
    _begun: bool = False
    _text_begun: bool = False
    _kind: str = ""
    _held: list[Numbered] = field(default_factory=list)

    def feed(self, paragraphs: Sequence[Numbered]) -> list[Numbered]:
        if not self._begun:
            self._held += paragraphs
            if len(self._held) < HEAD:
                return []
            paragraphs, self._held, self._begun = self._head(self._held), [], True
        kept: list[Numbered] = []
        for item in paragraphs:
            if self._kind or item[1].startswith("[^") or len(item[1]) <= 60 or "\n" in item[1] or "...." in item[1]:
                kept += self._one(item)
            else:
                kept.append(item)
                self._text_begun = self._text_begun or (len(item[1]) >= PROSE and is_prose(item[1], ""))
        return kept

    def end(self) -> list[Numbered]:
        """What was held back, when the document has ended."""
        kept: list[Numbered] = []
        if not self._begun:
            items, self._held, self._begun = self._head(self._held), [], True
            kept = self.feed(items)
        return kept + self._judged()

    def _one(self, item: Numbered) -> list[Numbered]:
        number, text = item
        title = text if len(text) <= 60 else ""
        named = TITLE.fullmatch((heading(title) or title).strip("*_")) if title else None
        if named and not (self._kind == "contents" and not level(text)):  # contents name the notes and the index too
            released = self._judged()
            self._kind, self._held = str(named.lastgroup), [item]
            return released
        if self._kind:
            if 0 < level(text) <= (level(self._held[0][1]) or 6) and not leads(text):
                return self._next_part(item)
            self._held.append(item)
            return self._judged() if len(self._held) > MOST or self._prose_again() else []
        kind = by_shape(text)
        if kind:
            self.told(number, kind, text)
            return []
        return [item]

    def _next_part(self, item: Numbered) -> list[Numbered]:
        """Another heading stands in a section. What is under it may be more of the same, such as the next chapter's notes."""
        kind, held = self._kind, len(self._held)
        if kind in LONG and all(heading(text) for _, text in self._held):
            self._held.append(item)
            return []
        released = self._judged()
        if kind not in LONG or len(released) == held:
            return released + self._one(item)
        self._kind, self._held = kind, [item]
        return released

    def _prose_again(self) -> bool:
        """Whether the book's text has begun again under the section's heading."""
        last = self._held[-LONG.get(self._kind, 1) :]
        return len(last) < len(self._held) and all(is_prose(text, self._kind) for _, text in last)

    def _judged(self) -> list[Numbered]:
        """What stays of the section held: all after its last entry, or everything when too few of it are entries."""
        held, kind, self._held, self._kind = self._held, self._kind, [], ""
        if not kind:
            return held
        entries = [bool(at) and (is_entry(text, kind) or (kind in LONG and text[0].islower())) for at, (_, text) in enumerate(held)]
        stop = max((at for at, entry in enumerate(entries) if entry), default=0)
        if kind == "contents":  # the last heading before the text is the text's own
            heads = [at for at in range(1, stop + 1) if heading(held[at][1]) and not leads(held[at][1])]
            stop = heads[-1] - 1 if heads and stop < len(held) - 1 else stop
        least = {"copyright": 1, "contents": 2}.get(kind, 3)
        count = sum(lines_of(text) for (_, text), entry in zip(held[: stop + 1], entries, strict=False) if entry)
        if sum(entries[: stop + 1]) * 10 < stop * 7 or count < least or not self._leads_somewhere(kind, held[1 : stop + 1]):
            return held
        for number, text in held[: stop + 1]:
            self.told(number, kind, text)
        return held[stop + 1 :]

    def _leads_somewhere(self, kind: str, held: Sequence[Numbered]) -> bool:
        """Contents among the book's text lead to pages or chapters; short lines alone may be verse that bears that name."""
        if kind != "contents" or not self._text_begun:
            return True
        lines = [line for _, text in held for line in text.split("\n")]
        return sum(leads(line) or bool(heading(line)) for line in lines) * 2 >= len(lines)

    def _head(self, items: list[Numbered]) -> list[Numbered]:
        """A document's first paragraphs without copyright page, and without the title page before one."""
        first = items[:HEAD]
        rights = [at for at, (_, text) in enumerate(first) if is_rights(text)]
        if not rights:
            return items
        kept = []
        after = max((at + 1 for at in range(rights[-1]) if at not in rights and is_prose(first[at][1], "copyright")), default=0)
        for at, (number, text) in enumerate(items):
            if at in rights:
                self.told(number, "copyright", text)
            elif after <= at < rights[-1] and is_stray(text):
                self.told(number, "title page" if at < rights[0] else "copyright", text)
            else:
                kept.append((number, text))
        return kept
