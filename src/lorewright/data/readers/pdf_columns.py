"""Reading order: columns by the gaps that run down a page, with what spans them read in its place."""

from __future__ import annotations

import re
from itertools import accumulate
from operator import attrgetter

from lorewright.data.readers.pdf_words import Line, Word, line

BIN = 2.0  # points
MARGIN = 0.2  # of the type's size that a word is taken to reach beyond its edges
FEW = 0.15  # of the usual number of lines may cross a gap between columns
LINES = 5  # on either side, at least
NARROW = 0.2  # of the text's width a column has at least


_PAGE = re.compile(r"[\d,.–-]+|[ivxlc]{1,7}|[.·…]+", re.IGNORECASE)
Gap = tuple[float, float]


def ordered(pages: list[list[Word]]) -> list[list[list[Line]]]:
    """Every page's blocks. A page with too little text to show its columns is taken to have those of the other pages."""
    gaps = [_gap(page) if page else None for page in pages]
    known = [gap for gap in gaps if gap]
    common = sorted(known)[len(known) // 2] if len(known) > len(pages) / 2 else None
    return [columns(page, gap or _fitting(page, common)) for page, gap in zip(pages, gaps, strict=True)]


def _fitting(words: list[Word], gap: Gap | None) -> Gap | None:
    """The other pages' gap, where this page's text keeps clear of it too."""
    if gap is None or not any(word.x0 >= gap[1] - BIN for word in words):
        return None
    crossing = sum(word.x0 < gap[1] - BIN and word.x1 > gap[0] + BIN for word in words)
    return gap if crossing <= 0.02 * len(words) else None


def columns(words: list[Word], gap: Gap | None = None) -> list[list[Line]]:
    """Blocks of lines in reading order; a block is one column, or one stretch of lines across all columns.

    gap: between the columns, where it is known already.
    """
    if not words:
        return []
    gap = gap or _gap(words)
    if gap is None:
        return [_lines(words)]
    left, right, across = _sides(words, gap)
    blocks: list[list[Line]] = []
    edges = sorted({round(word.y, 1) for word in across}, reverse=True)
    above = float("inf")
    for edge in [*edges, float("-inf")]:
        for side in (left, right):
            band = [word for word in side if edge < word.y <= above]
            blocks += columns(band) if len(band) < len(words) else [_lines(band)]
        spanning = [word for word in across if round(word.y, 1) == edge]
        if spanning:
            blocks.append(_lines(spanning))
        above = edge
    return _joined([block for block in blocks if block])


def _joined(blocks: list[list[Line]]) -> list[list[Line]]:
    """Lines across the columns that follow one another are one block."""
    whole: list[list[Line]] = []
    for block in blocks:
        if whole and len(block) == 1 and _below(whole[-1][-1], block[0]):
            whole[-1].extend(block)
        else:
            whole.append(block)
    return whole


def _below(first: Line, second: Line) -> bool:
    overlap = min(first.x1, second.x1) - max(first.x0, second.x0)
    widest = max(first.x1 - first.x0, second.x1 - second.x0)
    return 0 < first.y - second.y < 2.5 * max(first.size, second.size) and overlap > 0.5 * widest


def _gap(words: list[Word]) -> Gap | None:
    """The widest stretch in the middle that nearly no line crosses, with text enough beside it; None in a single column."""
    start, end = min(word.x0 for word in words), max(word.x1 for word in words)
    width = end - start
    bins = int(width / BIN) + 2
    steps = [0] * (bins + 1)  # where words begin and, negative, have ended
    for word in words:
        reach = MARGIN * word.size
        steps[max(0, int((word.x0 - reach - start) / BIN))] += 1
        steps[min(bins, int((word.x1 + reach - start) / BIN) + 1)] -= 1
    covered = list(accumulate(steps))[:bins]
    usual = sorted(count for count in covered if count)[-len(covered) // 3 :]
    most = FEW * (usual[0] if usual else 0)
    best: tuple[int, int] | None = None
    place = int(NARROW * len(covered))
    while place < len(covered) * (1 - NARROW):
        stop = place
        while stop < len(covered) and covered[stop] <= most:
            stop += 1
        if stop > place and (best is None or stop - place > best[1] - best[0]):
            best = (place, stop)
        place = stop + 1
    if best is None:
        return None
    gap = (start + best[0] * BIN, start + best[1] * BIN)
    return gap if _beside(words, gap) and gap[1] < end else None


def _beside(words: list[Word], gap: Gap) -> bool:
    """Whether enough lines stand on both sides, next to each other."""
    left = {round(word.y) for word in words if word.x1 <= gap[0] + BIN}
    right = {round(word.y) for word in words if word.x0 >= gap[1] - BIN}
    if len(left) < LINES or len(right) < LINES or not _reads(words, gap):
        return False
    return min(max(left), max(right)) - max(min(left), min(right)) > 0.2 * (max(left | right) - min(left | right))


def _reads(words: list[Word], gap: Gap) -> bool:
    """Whether there is text on the right, and not only the pages that contents lead to."""
    beyond = [word for word in words if word.x0 >= gap[1] - BIN]
    return sum(bool(_PAGE.fullmatch(word.text)) for word in beyond) < 0.8 * len(beyond)


def _sides(words: list[Word], gap: Gap) -> tuple[list[Word], list[Word], list[Word]]:
    """(left, right, across): a line belongs across when a word of it stands in the gap, or none of its spaces is as wide."""
    sides: tuple[list[Word], list[Word], list[Word]] = ([], [], [])
    for segment in _segments(words):
        middle = (gap[0] + gap[1]) / 2
        cut = next((n for n, word in enumerate(segment) if word.x1 > middle), len(segment))
        before, after = segment[:cut], segment[cut:]
        if not before or not after:
            sides[1 if after else 0].extend(segment) if not _in_gap(segment, gap) else sides[2].extend(segment)
        elif after[0].x0 - before[-1].x1 >= 0.7 * (gap[1] - gap[0]) and after[0].x0 > middle:
            sides[0].extend(before)
            sides[1].extend(after)
        else:
            sides[2].extend(segment)
    return sides


def _in_gap(segment: list[Word], gap: Gap) -> bool:
    return any(word.x0 < gap[0] - BIN and word.x1 > gap[1] + BIN for word in segment)


def _segments(words: list[Word]) -> list[list[Word]]:
    """Words written one after another on one baseline."""
    found: list[list[Word]] = []
    for word in words:
        last = found[-1][-1] if found else None
        if last and abs(last.y - word.y) < 0.4 * max(last.size, word.size) and word.x0 > last.x0:
            found[-1].append(word)
        else:
            found.append([word])
    return found


def _lines(words: list[Word]) -> list[Line]:
    """From the top down; a raised mark belongs to the line it stands in."""
    rows: list[list[Word]] = []
    largest = Word("", 0, 0, float("inf"), 0)  # of the row: its baseline is the row's
    for word in sorted(words, key=attrgetter("y"), reverse=True):
        if largest.y - word.y < 0.45 * max(word.size, largest.size):
            rows[-1].append(word)
            largest = word if word.size > largest.size else largest
        else:
            rows.append([word])
            largest = word
    return [line(row) for row in rows]
