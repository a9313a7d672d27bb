"""What counts as a word, and where a text may be cut: after a paragraph, else after a sentence, else between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Chinese and Japanese are written without spaces: there each character counts as a word. Thai, Lao, Burmese and Khmer are too, in
# letters: there some four of them do.
WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
SPACELESS = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
# Vowel signs and the like, which are no letters to `re` but belong to the letter before them.
SIGNS = "".join(chr(code) for code in (*range(0x300, 0x2000), *range(0xA800, 0xAC00)) if unicodedata.category(chr(code))[0] == "M")
WORD = re.compile(rf"[{WIDE}]|[{SPACELESS}]{{1,4}}[{SIGNS}]*|[^\s{WIDE}{SPACELESS}]+")
PARAGRAPH_END = re.compile(r"\n(?:[ \t]*\n)+")
# A full stop with what closes after it; a wide full stop, which no space follows; the line before a list item or a table row.
SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*\s+|[。！？]+[”’」』]*|\n(?=[ \t]*(?:[-*+|]|\d+[.)])\s)")


def count_words(text: str) -> int:
    return sum(1 for _ in WORD.finditer(text))


def last_words(text: str, limit: int) -> str:
    """The end of the text, at most `limit` words."""
    starts = [word.start() for word in WORD.finditer(text)]
    return "" if limit <= 0 else text if len(starts) <= limit else text[starts[-limit] :]


def pack(text: str, limit: int) -> list[str]:
    """The text in pieces of at most `limit` words, as few as reading order allows; only white space between pieces is lost."""
    packed: list[str] = []
    current, size = "", 0
    for piece in _pieces(text, limit):
        words = count_words(piece)
        if current and size + words > limit:
            packed.append(current.strip())
            current, size = "", 0
        current, size = current + piece, size + words
    packed.append(current.strip())
    return [piece for piece in packed if piece]


def pack_overlapping(text: str, limit: int, overlap: int) -> list[str]:
    """As pack, and each piece begins again with the last whole sentences of the one before, at most `overlap` words of them."""
    if not overlap:
        return pack(text, limit)
    pieces = pack(text, limit - overlap)
    before = [_last_sentences(piece, overlap) for piece in pieces[:-1]]
    return pieces[:1] + [f"{end}\n\n{piece}" if end else piece for end, piece in zip(before, pieces[1:], strict=True)]


def _last_sentences(text: str, limit: int) -> str:
    """The end of the text, from the start of a sentence on, in at most `limit` words; empty where the last one is longer."""
    starts = [match.end() for end in (PARAGRAPH_END, SENTENCE_END) for match in end.finditer(text)]
    fitting = [start for start in sorted(starts) if text[start:].strip() and count_words(text[start:]) <= limit]
    return text[fitting[0] :].strip() if fitting else ""


def sentences(text: str) -> list[str]:
    """Sentences, list items and table rows, without the white space around them; paragraph ends end one too."""
    parts = (part.strip() for paragraph in _cut_after(PARAGRAPH_END, text) for part in _cut_after(SENTENCE_END, paragraph))
    return [part for part in parts if part]


def _pieces(text: str, limit: int) -> Iterator[str]:
    for paragraph in _cut_after(PARAGRAPH_END, text):
        if count_words(paragraph) <= limit:
            yield paragraph
            continue
        for sentence in _cut_after(SENTENCE_END, paragraph):
            yield from _cut_words(sentence, limit)


def _cut_after(end: re.Pattern[str], text: str) -> Iterator[str]:
    start = 0
    for match in end.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]


def _cut_words(text: str, limit: int) -> Iterator[str]:
    starts = [word.start() for word in WORD.finditer(text)][limit::limit]
    for start, stop in zip([0, *starts], [*starts, len(text)], strict=True):
        yield text[start:stop]
