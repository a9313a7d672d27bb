"""Lines of a PDF that end on purpose: entries of an index or a bibliography, contents, verse, addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from lorewright.data.readers.pdf_words import Line

BULLET = re.compile(r"[•▪‣◦●■□–-] ?\S?")
_LED = re.compile(r".*(?:\.{3,}|(?:[.·…] ){3,}|…)[ .·…]*(?:\d{1,4}|[ivxlc]{1,7})", re.IGNORECASE)
_PAGE = re.compile(r"\d{1,4}|[ivxlc]{1,7}", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?…][\"”’'»)]*$")
_PAUSE = re.compile(r"[.!?…—–-][\"”’'»)]*$")
FEW = 5  # lines at the left edge that show a list without indents
VERSE = 3  # lines that end early, one after another, are verse or an address
EARLY = 0.1  # of the column's width that such a line leaves free beside the room for the next word


def ends_short(last: Line, row: Line, right: float) -> bool:
    """Whether the next line's first word would still have fitted: then the line was ended on purpose. right: the column's edge."""
    first = row.words[0]
    return last.x1 + (first.x1 - first.x0) + 1.5 * last.size < right


def leads_to_page(row: Line) -> bool:
    """Whether a line leads to a page number, by dots or by a gap that no other word of it has."""
    if _LED.fullmatch(row.text):
        return True
    if len(row.words) < 2 or not _PAGE.fullmatch(row.words[-1].text):
        return False
    gaps = [after.x0 - before.x1 for before, after in pairwise(row.words)]
    return gaps[-1] > 1.5 * row.size and gaps[-1] > 2 * max(gaps[:-1], default=0.0)


def entry_lines(lines: Sequence[Line], left: float, right: float, indent: float | None) -> set[int]:
    """ids of the lines that belong to lists and verse.

    lines: of one column, from the top. left, right: its edges. indent: how far paragraphs are set in, where they are.
    """
    found: set[int] = set()
    for segment in _segments(lines):
        if _is_list(segment, left, right):
            found |= {id(row) for row in segment}
        else:
            found |= _verse(segment, left, right, None if indent is None else left + indent)
    return found


def begins_entry(last: Line, row: Line, left: float, right: float) -> bool:
    """Whether the second of two lines of a list opens an entry; else it goes on in the first one's."""
    return row.x0 - left < 1.0 or ends_short(last, row, right)


def _segments(lines: Sequence[Line]) -> list[list[Line]]:
    """What stands between headings: lines of about one size."""
    found: list[list[Line]] = []
    for row in lines:
        if found and 0.92 < row.size / max(found[-1][-1].size, 0.1) < 1.09:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _is_list(rows: list[Line], left: float, right: float) -> bool:
    """Whether lines at the left edge open entries: nearly each follows one that had ended, and in prose hardly any does.

    A line that is set in then goes on with the entry above it, in the middle of a sentence; in prose it opens a paragraph.
    """
    pairs = list(pairwise(rows))
    at_edge = [(last, row) for last, row in pairs if row.x0 - left < 1.0]
    set_in = [last for last, row in pairs if row.x0 - left > 0.5 * row.size]
    running = sum(not _PAUSE.search(last.text) for last in set_in)
    short = [ends_short(last, row, right) or leads_to_page(last) for last, row in at_edge]
    if running >= 2 and running >= 0.7 * len(set_in):
        ended = [early or last.x0 - left > 1.0 or _SENTENCE.search(last.text) for early, (last, _) in zip(short, at_edge, strict=True)]
        return len(at_edge) >= 3 and sum(map(bool, ended)) >= 0.7 * len(at_edge)
    sentences = sum(bool(_SENTENCE.search(last.text)) for last, _ in at_edge)
    return len(at_edge) >= FEW and sum(short) >= 0.9 * len(at_edge) and sentences < 0.5 * len(at_edge) and not _is_spaced(pairs)


def _is_spaced(pairs: list[tuple[Line, Line]]) -> bool:
    """Whether paragraphs are parted by space: then the space tells, and the edge does not."""
    steps = [last.y - row.y for last, row in pairs if last.y > row.y]
    return bool(steps) and sum(step > 1.3 * median(steps) for step in steps) > 0.3 * len(steps)


def _verse(rows: list[Line], left: float, right: float, opening: float | None) -> set[int]:
    """Runs of lines that leave much room on the right and do not all end sentences. opening: where a paragraph's first line begins."""
    found: set[int] = set()
    run: list[Line] = []
    for last, row in zip(rows, [*rows[1:], None], strict=True):
        run.append(last)
        opens = row is not None and opening is not None and abs(row.x0 - opening) < 1.0
        if row is not None and not opens and ends_short(last, row, right - EARLY * (right - left)) and last.y - row.y < 2 * last.size:
            continue
        sentences = sum(bool(_SENTENCE.search(line.text)) for line in run)
        if len(run) >= VERSE and 2 * sentences <= len(run):
            found |= {id(line) for line in run}
        run = []
    return found
