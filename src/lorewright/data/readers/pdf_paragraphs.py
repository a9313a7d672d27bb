"""Lines of a PDF to paragraphs and headings: indents, gaps and short lines end a paragraph; hyphens at line ends are healed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from lorewright.data.readers.markup import BREAK
from lorewright.data.readers.pdf_lists import BULLET, begins_entry, ends_short, entry_lines, leads_to_page
from lorewright.data.readers.pdf_words import HYPHENS, Line

INDENT = 0.7  # times the type's size
GAP = 1.3  # times the usual distance between lines
LARGER = 1.14  # times the body's type: a heading's
HEADING_WORDS = 25
VERSE = 50  # characters; shorter lines of a list or of verse stand together
_END = re.compile(r"[.!?…:][\"”’'»)\]]*$")
_CHAPTER = re.compile(
    r"(?:chapter|part|book|kapitel|chapitre)\s+(?:\d+|[ivxlc]+|one|two|three|four|five|six|seven|eight|nine|ten)\b.{0,60}", re.IGNORECASE
)
_BREAK = re.compile(r"(?:[*•⁂~#]\s*){1,5}|(?:[-–—_]\s*){3,}")
# A line that ends in one of these and a hyphen has most likely broken a compound.
_COMPOUND = {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "self", "half", "well", "left", "right", "ex"}
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_NO_HYPHENS = {ord(sign): None for sign in HYPHENS}
_LIGATURE = re.compile("[ﬀﬁﬂﬃﬄﬅﬆ]")


@dataclass
class Column:
    """Lines read one below another. left, right: its edges. leading: usual distance of its baselines, in points.

    entries: ids of the lines that stand in a list or in verse.
    """

    lines: list[Line]
    left: float = 0.0
    right: float = 0.0
    leading: float = 0.0
    entries: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        starts = Counter(round(row.x0) for row in self.lines)
        self.left = min(start for start, times in starts.items() if times >= 0.25 * starts.most_common(1)[0][1]) - 0.5
        self.right = max(row.x1 for row in self.lines)
        steps = [above.y - below.y for above, below in zip(self.lines, self.lines[1:], strict=False) if above.y > below.y]
        self.leading = median(steps) if steps else 1.3 * self.lines[0].size


@dataclass
class Paragraph:
    """entry: it stands in a list or in verse. close: no space parts it from the paragraph above."""

    lines: list[Line] = field(default_factory=list)
    entry: bool = False
    close: bool = False

    @property
    def size(self) -> float:
        return max(self.lines, key=lambda row: len(row.text)).size


def paragraphs(blocks: list[list[Line]], body: float) -> list[Paragraph]:
    """The document's paragraphs, also across columns and pages.

    blocks: columns in reading order over all pages. body: size of the document's type.
    """
    columns = [Column(block) for block in blocks]
    usual = median([column.leading for column in columns if len(column.lines) > 3] or [1.2 * body])
    width = median([column.right - column.left for column in columns if len(column.lines) > 5] or [0.0])
    indent = _usual_indent(columns)
    found: list[Paragraph] = []
    before: tuple[Column, Line] | None = None
    for column in columns:
        if len(column.lines) <= 5:  # too few lines to tell the edge
            column.right = max(column.right, column.left + width)
        column.entries = entry_lines(column.lines, column.left, column.right, indent)
        for row in column.lines:
            leading = max(min(column.leading, 1.1 * usual), 1.25 * row.size)
            entry = id(row) in column.entries
            opens = not entry and indent is not None and abs(row.x0 - column.left - indent) < 1.0
            if before is None or opens or _begins(before, column, row, leading, found[-1]):
                close = before is not None and before[0] is column and before[1].y - row.y < GAP * leading
                found.append(Paragraph(entry=entry, close=close))
            found[-1].lines.append(row)
            before = (column, row)
    return found


def _usual_indent(columns: list[Column]) -> float | None:
    """How far first lines are set in, in points; None where the document does not do so."""
    steps: Counter[float] = Counter()
    for column in columns:
        for row, below in zip(column.lines, column.lines[1:], strict=False):
            step = row.x0 - column.left
            if INDENT * row.size < step < 4 * row.size and abs(below.x0 - column.left) < 1.0 and row.y - below.y < GAP * column.leading:
                steps[round(step)] += 1
    best = steps.most_common(1)
    return float(best[0][0]) if best and best[0][1] >= 3 else None


def _begins(before: tuple[Column, Line], column: Column, row: Line, leading: float, current: Paragraph) -> bool:
    above, last = before
    if not 0.92 < row.size / max(last.size, 0.1) < 1.09 or _BREAK.fullmatch(row.text) or _BREAK.fullmatch(last.text):
        return True
    if leads_to_page(last) or BULLET.fullmatch(row.words[0].text):
        return True
    if id(last) in above.entries and len(column.lines) < 3 and above is not column:
        return ends_short(last, row, above.right)
    if id(last) in above.entries and id(row) in column.entries:
        return begins_entry(last, row, column.left, above.right) or (above is column and last.y - row.y > GAP * leading)
    indented = row.x0 - column.left > INDENT * row.size
    short = ends_short(last, row, above.right) and bool(_END.search(last.text))
    if above is not column:
        return indented or short
    if last.y - row.y > GAP * leading:
        return True
    if row.x0 > last.x0 + INDENT * row.size:
        return True
    outdented = len(current.lines) > 1 and row.x0 < last.x0 - INDENT * row.size
    return outdented or short


def body_size(blocks: list[list[Line]]) -> float:
    """The type that most of the text is set in, in points."""
    sizes: Counter[float] = Counter()
    for block in blocks:
        for row in block:
            sizes[round(row.size * 2) / 2] += len(row.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def to_blocks(found: list[Paragraph], body: float) -> list[str]:
    """Markdown blocks. Larger type makes a heading: the largest `#`, the others `##`."""
    known = Counter(word.text.lower().strip(".,;:!?\"“”‘’'()") for paragraph in found for row in paragraph.lines for word in row.words[:-1])
    heads = [paragraph for paragraph in found if _is_heading(paragraph, body)]
    largest = max((round(paragraph.size) for paragraph in heads), default=0)
    blocks: list[str] = []
    above: Paragraph | None = None
    for paragraph in found:
        text = healed(paragraph.lines, known)
        joins = above is not None and above.entry and paragraph.entry and paragraph.close and paragraph not in heads
        above = paragraph
        if joins and blocks and len(text) < VERSE and len(blocks[-1].rpartition("\n")[2]) < VERSE:
            blocks[-1] += f"\n{text}"
        elif _BREAK.fullmatch(text):
            blocks.append(BREAK)
        elif (_CHAPTER.fullmatch(text) and not leads_to_page(paragraph.lines[-1])) or (
            paragraph in heads and round(paragraph.size) == largest
        ):
            blocks.append(f"# {text}")
        elif paragraph in heads:
            blocks.append(f"## {text}")
        else:
            blocks.append(f"\\{text}" if re.match(r"#{1,6} ", text) else text)
    return [block for block in blocks if block]


def _is_heading(paragraph: Paragraph, body: float) -> bool:
    words = [word.text for row in paragraph.lines for word in row.words]
    letters = sum(sign.isalpha() for word in words for sign in word)
    return paragraph.size > LARGER * body and len(words) <= HEADING_WORDS and letters > 1


def healed(lines: list[Line], known: Counter[str]) -> str:
    """The lines as one text. known: how often the document has each word, which decides whether a hyphen belongs to it."""
    text = ""
    for row in lines:
        words = "".join(_spaced(row))
        text = words if not text else _linked(text, words, known)
    text = text.translate(_NO_HYPHENS)
    return _LIGATURE.sub(lambda sign: _LIGATURES[sign[0]], text)


def _spaced(row: Line) -> list[str]:
    """Words with the spaces between them; a hyphen that pdfium found inside a line keeps its word together."""
    pieces = [row.words[0].text]
    for word in row.words[1:]:
        pieces.append(word.text if pieces[-1][-1] in HYPHENS else f" {word.text}")
    return pieces


def _linked(text: str, words: str, known: Counter[str]) -> str:
    if text.endswith(("—", "–")) and not text.endswith((" —", " –")):
        return text + words
    if not (text.endswith(tuple(HYPHENS)) or (text.endswith(("-", "‐")) and text[-2:-1].isalpha())) or not words[:1].isalpha():
        return f"{text} {words}"
    bare = text[:-1]
    first, second = re.search(r"[^\s—–]*$", bare), re.match(r"[\w’'-]*", words)
    assert first and second
    start, end = first[0].lower().lstrip("\"“‘'("), second[0].lower()
    compound = "-" in start or start in _COMPOUND or (words[0].isupper() and bare[-1].islower())
    hyphened = compound or known[f"{start}-{end}"] > known[f"{start}{end}"]
    return f"{bare}-{words}" if hyphened else bare + words
