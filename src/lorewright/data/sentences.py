"""Where a paragraph may be cut when it is too long: after sentences, then words, then signs that stand alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from lorewright.data.measure import Measure

Part = tuple[str, str, int]  # (what joins it to the part before, text, length)
_SHORT = "Mr|Mrs|Ms|Dr|St|Prof|Capt|Col|Lt|Sgt|Mme|Rev"
# No sentence ends after one of these, or after an initial (I. is the end of one more often).
_NOT_AN_END = re.compile(rf"(?:\b(?:{_SHORT})|(?:(?<=[^\w.])|\A)[A-HJ-Z])\.\Z")
_LONGEST = 8  # signs of such a word and what stands before it
# Each way begins with the sign that ends a sentence, which is quick to look for; the group is the space after it.
_END = re.compile(
    r"[.!?…](?:[\"”’'»)](\s+)|(\s+)(?=[\"“‘'«(]?[A-ZÀ-ÖØ-ÞА-Я0-9\u2e80-\U0003ffff]))"
    r"|[。！？](?:[」』”’）]|(?![」』”’）。！？…]))|[।॥؟۔](\s*)|\n"
)
_WORD = re.compile(r"\s*\S+")
_GLUE = "\u200d\ufe0f\ufe0e"


def sentences(text: str) -> list[str]:
    """Sentences of a paragraph, closing quotes kept with the sentence they end."""
    starts, ends = [0], []
    for start, end in _gaps(text):
        ends.append(start)
        starts.append(end)
    return [part for start, end in zip(starts, [*ends, len(text)], strict=True) if (part := text[start:end]).strip()]


def _gaps(text: str, low: int = 0) -> Iterator[tuple[int, int]]:
    """(start, end) of what stands between two sentences, often one space, from low on."""
    for match in _END.finditer(text, max(0, low - 2)):
        end, group = match.end(), match.lastindex
        start = match.start(group) if group else end
        short = group == 2 and text[start - 1] == "." and _NOT_AN_END.search(text, max(0, start - _LONGEST), start)
        if start >= low and (not short or "\n" in text[start:end]):
            yield start, end


def parts(paragraph: str, most: int, measure: Measure) -> list[Part]:
    """The paragraph in parts of at most most: sentences, of a longer sentence words, of a longer word signs.

    Joined again with what stands between them they are the paragraph, but for space at its ends.
    """
    found = [(gap, text) for gap, text in _with_gaps(paragraph)]
    return [part for gap, text, length in _measured(found, measure) for part in _fitting(gap, text, length, most, measure)]


def _fitting(gap: str, text: str, length: int, most: int, measure: Measure) -> Iterator[Part]:
    if length <= most:
        yield gap, text, length
        return
    words = [(match[0][: -len(match[0].lstrip())] if match[0][0].isspace() else "", match[0].lstrip()) for match in _WORD.finditer(text)]
    for number, (between, word, size) in enumerate(_measured(words, measure)):
        joint = gap if number == 0 else between
        if size <= most:
            yield joint, word, size
        else:
            yield from _signs(joint, word, most, measure)


def _signs(gap: str, word: str, most: int, measure: Measure) -> Iterator[Part]:
    """A word in pieces that fit for certain: no tokenizer of bytes makes more than four tokens of a sign, and one at its start."""
    size = most if measure.unit == "characters" else max(1, (most - 2) // 4)
    pieces = []
    at = 0
    while at < len(word):
        end = at + size
        while (
            at + 1 < end < len(word)
            and end > at + size // 2
            and (unicodedata.combining(word[end]) or word[end] in _GLUE or word[end - 1] in _GLUE)
        ):
            end -= 1  # an accent or a joiner stays with its letter
        pieces.append(("" if at else gap, word[at:end]))
        at = end
    yield from _measured(pieces, measure)


def _measured(pieces: list[tuple[str, str]], measure: Measure) -> list[Part]:
    lengths = measure.many([text for _, text in pieces])
    return [(gap, text, length) for (gap, text), length in zip(pieces, lengths, strict=True)]


def _with_gaps(text: str) -> Iterator[tuple[str, str]]:
    """(gap before, sentence) of a text without space at its ends."""
    gap, at = "", 0
    for start, end in _gaps(text):
        part = text[at:start]
        if part.strip():
            yield gap + part[: len(part) - len(part.lstrip())], part.strip()
            gap = part[len(part.rstrip()) :] + text[start:end]
        else:
            gap += text[at:end]
        at = end
    if text[at:].strip():
        part = text[at:]
        yield gap + part[: len(part) - len(part.lstrip())], part.strip()


def endings(text: str, first: int, signs: int) -> list[str]:
    """The last sentence of a text, the last two …: each a part of the text from where a sentence begins to its end.

    first: none begins before this sign. signs: no longer ending is of interest.
    """
    low = max(first, len(text) - signs - 1)
    starts = [end for _, end in _gaps(text, low)]
    ends = [text[start:].strip() for start in reversed(starts)]
    return list(dict.fromkeys(end for end in ends if end))
