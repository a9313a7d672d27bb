"""Words of a PDF page with their places, and the lines and columns they stand in."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import pypdfium2.raw as pdfium

# pdfium gives the hyphen at a line's end as one of these, with the word's second half straight behind it.
HYPHENS = "\x02\ufffe\xad"
_RUN = re.compile(rf"[^\s{HYPHENS}]+[{HYPHENS}]?|[{HYPHENS}]")
_MARKED = re.compile(r"^(.*[^\W\d_]|.*\w[.,;:!?…\"”’')\]]+)(\d{1,3}|[*†‡§])$")
MARKS = frozenset("0123456789*†‡§")
SMALL_MARK = 0.8  # times the size of the word it hangs on


@dataclass(slots=True)
class Word:
    """x0, x1: left and right edge. y: baseline, upwards from the page's foot. size: of the type. All in points."""

    text: str
    x0: float
    x1: float
    y: float
    size: float


@dataclass(slots=True)
class Line:
    """Words on one baseline, left to right. size: of most of its letters."""

    words: list[Word]
    x0: float
    x1: float
    y: float
    size: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def page_words(page: Any, removed: dict[str, int]) -> list[Word]:
    """The page's upright words in the order they were written; raised note marks are taken off and counted in `removed`."""
    text_page = page.get_textpage()
    try:
        return list(_words(text_page.raw, removed))
    finally:
        text_page.close()


def _characters(text_page: Any) -> str:
    """One sign for each of pdfium's character indices."""
    count = pdfium.FPDFText_CountChars(text_page)
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer) - 1
    text = bytes(buffer)[: 2 * written].decode("utf-16-le", "replace")
    if len(text) == count:
        return text
    return "".join(chr(pdfium.FPDFText_GetUnicode(text_page, index) or 32) for index in range(count))


def _words(text_page: Any, removed: dict[str, int]) -> Iterator[Word]:
    text = _characters(text_page)
    box, last = pdfium.FS_RECTF(), pdfium.FS_RECTF()
    box_of, size_of = pdfium.FPDFText_GetLooseCharBox, pdfium.FPDFText_GetFontSize
    edges, upright, height, size = None, True, 0.0, 0.0
    for run in _RUN.finditer(text):
        start, end = run.span()
        if not box_of(text_page, start, box):
            continue
        if edges != (box.bottom, box.top):  # else it goes on in the same line and type
            edges = (box.bottom, box.top)
            upright, height, size = _type(text_page, start)
        if not upright:
            continue
        x1 = box.right
        if end - start > 1 and box_of(text_page, end - 1, last):
            x1 = max(x1, last.right)
        word = run[0]
        marked = _MARKED.match(word) if word[-1] in MARKS else None
        if marked and size_of(text_page, end - 1) < SMALL_MARK * size_of(text_page, start):
            word = marked[1]
            removed["note marks"] = removed.get("note marks", 0) + 1
        yield Word(word, box.left, x1, height, size)


def _type(text_page: Any, index: int) -> tuple[bool, float, float]:
    """(whether it runs along the line and not up the margin, its baseline, its size as seen) of a character."""
    matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(text_page, index, x, y)
    pdfium.FPDFText_GetMatrix(text_page, index, matrix)
    scale = (matrix.c**2 + matrix.d**2) ** 0.5 or 1.0
    return abs(matrix.b) <= abs(matrix.a), y.value, pdfium.FPDFText_GetFontSize(text_page, index) * scale


def rows(words: list[Word]) -> list[Line]:
    """Words of the same height, from the page's top down, whatever column they stand in."""
    found: list[list[Word]] = []
    for word in sorted(words, key=attrgetter("y"), reverse=True):
        if found and abs(found[-1][0].y - word.y) < 0.4 * max(found[-1][0].size, word.size):
            found[-1].append(word)
        else:
            found.append([word])
    return [line(row) for row in found]


def line(words: list[Word]) -> Line:
    words = sorted(words, key=attrgetter("x0"))
    first = words[0]
    if all(word.y == first.y and word.size == first.size for word in words):
        return Line(words, first.x0, max(word.x1 for word in words), first.y, first.size)
    sizes: dict[float, int] = {}
    heights: dict[float, int] = {}
    for word in words:
        sizes[word.size] = sizes.get(word.size, 0) + len(word.text)
        heights[word.y] = heights.get(word.y, 0) + len(word.text)
    return Line(
        words, words[0].x0, max(word.x1 for word in words), max(heights, key=heights.__getitem__), max(sizes, key=sizes.__getitem__)
    )
