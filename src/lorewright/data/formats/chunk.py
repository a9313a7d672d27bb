"""Cuts a long completion into pieces that fit beside their prompt; each later piece is preceded by the end of the one before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lorewright.data.formats.template import Template

LEAST_ROOM = 32  # tokens; a piece shorter than this teaches nothing
SEAM = 120  # characters after a cut that decide whether the tokens there stay as they were
_SENTENCE = re.compile(r"(?<=[.!?…\"”’»)]) |(?<=[。！？；])")


@dataclass(frozen=True)
class Piece:
    """context: text that is shown and masked; '' in the first piece. trained: text that is trained. last: the completion ends here."""

    context: str
    trained: str
    last: bool


def pieces(text: str, room: int, end: int, keep: int, template: Template) -> Iterator[Piece]:
    """The completion in pieces whose trained texts, put together, are the completion again.

    text: the completion, not empty. room: tokens left beside the prompt. end: tokens of the closing sign, which only the last
    piece carries. keep: tokens of context. Raises ValueError when there is no room.
    """
    if room - keep - end < LEAST_ROOM:
        raise ValueError(f"leaves {max(0, room - keep - end)} tokens for the completion; {LEAST_ROOM} are the least")
    spans = template.spans(text)
    at = first = 0
    while at < len(text):
        while first < len(spans) and spans[first][1] <= at:
            first += 1
        context = _context(text, at, first, spans, keep, template) if at else ""
        free = room - len(template.ids(context))
        stop = _stop(text, at, first, spans, free, end, template)
        yield Piece(context, text[at:stop], stop == len(text))
        at = stop


def _context(text: str, at: int, first: int, spans: list[tuple[int, int]], keep: int, template: Template) -> str:
    """The last `keep` tokens before a cut, begun at a word where one begins nearby."""
    if not keep:
        return ""
    start = spans[max(0, first - keep)][0]
    space = text.find(" ", start, start + 16)
    start = space if 0 <= space < at else start
    while start < at and len(template.ids(text[start:at])) > keep:
        start += 1
    return text[start:at]


def _stop(text: str, at: int, first: int, spans: list[tuple[int, int]], free: int, end: int, template: Template) -> int:
    """Where a piece that begins at `at` ends: the text's end, else the best seam that fits."""
    if len(spans) - first <= free - end and len(template.ids(text[at:])) <= free - end:
        return len(text)
    most = spans[min(first + free, len(spans)) - 1][1]
    most = min(most, len(text) - 1)
    while len(template.ids(text[at:most])) > free:
        most -= max(1, (most - at) // 64)
    fitting = list(_seams(text, at, most))
    return next((place for place in fitting if _exact(text, at, place, template)), fitting[0])


def _seams(text: str, at: int, most: int) -> Iterator[int]:
    """Places to cut, the best first: after a blank line, after a line, before a sentence's space, before a space, anywhere.

    A newline stays with the text before it and a space goes with the word after it, as tokenizers join them.
    """
    low = at + (most - at) * 3 // 5
    for sign in ("\n\n", "\n"):
        place = text.rfind(sign, low, most)
        if place > at:
            yield place + len(sign)
    ends = [match.start() for match in _SENTENCE.finditer(text, low, most) if match.start() > at]
    yield from ends[:-4:-1]
    spaces = [place for place in range(low, most) if text[place] == " " and place > at]
    yield from spaces[:-4:-1]
    yield most


def _exact(text: str, at: int, cut: int, template: Template) -> bool:
    """Whether the tokens on both sides of a cut are those of the uncut text."""
    left = max(at, cut - SEAM)
    right = cut + SEAM
    return template.ids(text[left:cut]) + template.ids(text[cut:right]) == template.ids(text[left:right])
