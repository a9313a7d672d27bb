"""What stands on PDF pages beside the text: running heads and feet, page numbers, footnotes."""

from __future__ import annotations

import re
from collections import Counter

from lorewright.data.readers.pdf_words import Line, Word, rows

OUTER = 3  # lines from the top and from the foot that may be running heads
_NUMBER = re.compile(r"[-–—•|\[( ]*(?:page |p\. ?|seite )?(?:\d{1,4}|[ivxlcdm]{1,7})(?:(?: of | ?/ ?)\d{1,4})?[-–—•|\]). ]*", re.IGNORECASE)
_NOTE = re.compile(r"^(?:\d{1,3}|[*†‡§¶]+)(?:[.)\]]|\b|(?=\D))")
SMALLER = 0.93  # times the body's type: a footnote's
MOSTLY = 0.25  # of a page's text is in the body's type at least where it has footnotes


def drop_furniture(pages: list[list[Word]], removed: dict[str, int]) -> list[list[Word]]:
    """The pages without running heads and page numbers; what was dropped is counted in `removed`."""
    seen: Counter[tuple[str, int]] = Counter()
    numbered: Counter[int] = Counter()
    lines = [rows(words) for words in pages]
    for page in lines:
        outer = _outer(page)
        seen.update({(_key(row.text), _zone(row)) for row in outer})
        numbered.update({_zone(row) for row in outer if _NUMBER.fullmatch(row.text)})
    needed = 2 if len(pages) < 6 else 3
    kept = []
    for words, page in zip(pages, lines, strict=True):
        gone = _furniture(page, seen, numbered, needed, removed)
        kept.append([word for word in words if id(word) not in gone])
    return kept


def _outer(page: list[Line]) -> list[Line]:
    return page[:OUTER] + [row for row in page[-OUTER:] if row not in page[:OUTER]] if len(page) > OUTER else page


def _key(text: str) -> str:
    """Without what changes from page to page: the number. Text of signs alone says nothing."""
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())


def _zone(row: Line) -> int:
    """Its height on the page, in steps of four points."""
    return round(row.y / 4)


def _near(counts: Counter[tuple[str, int]], key: str, zone: int) -> int:
    return sum(counts[key, zone + step] for step in (-1, 0, 1))


def _furniture(page: list[Line], seen: Counter[tuple[str, int]], numbered: Counter[int], needed: int, removed: dict[str, int]) -> set[int]:
    gone: set[int] = set()
    for side in (page[:OUTER], page[::-1][:OUTER]):
        for row in side:
            number = _NUMBER.fullmatch(row.text) and sum(numbered[_zone(row) + step] for step in (-1, 0, 1)) >= 2
            if not number and _near(seen, _key(row.text), _zone(row)) < needed:
                break
            kind = "page numbers" if number else "running heads"
            if not {id(word) for word in row.words} & gone:
                removed[kind] = removed.get(kind, 0) + 1
            gone |= {id(word) for word in row.words}
    return gone


def drop_footnotes(blocks: list[list[Line]], body: float, removed: dict[str, int]) -> list[list[Line]]:
    """A page's blocks without the notes in smaller type at the foot of its columns.

    body: size of the document's type. Small type without a note's number or sign stays: a caption, a table.
    """
    whole = [row for block in blocks for row in block]
    large = [row for row in whole if row.size >= SMALLER * body]
    if sum(len(row.text) for row in large) < MOSTLY * sum(len(row.text) for row in whole):  # an index, an appendix
        return blocks
    kept = []
    for block in blocks:
        at = len(block)
        while at and block[at - 1].size < SMALLER * body and not any(_under(row, block[at - 1]) for row in large):
            at -= 1
        while at < len(block) and not _NOTE.match(block[at].text):
            at += 1
        if at < len(block):
            removed["footnotes"] = removed.get("footnotes", 0) + sum(bool(_NOTE.match(row.text)) for row in block[at:])
        kept.append(block[:at])
    return [block for block in kept if block]


def _under(row: Line, note: Line) -> bool:
    return row.y < note.y and min(row.x1, note.x1) > max(row.x0, note.x0)
