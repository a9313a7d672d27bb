"""Cuts a document into passages: at scene breaks first, then between paragraphs, then between sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lorewright.data.clean import SCENE_BREAK, paragraphs
from lorewright.recipe import Chunk

Measure = Callable[[str], int]
GAP = "\n\n"
_SENTENCE_END = re.compile(r"(?<=[.!?…][\"”’'»)])\s+|(?<=[.!?…])\s+(?=[\"“‘'«(]?[A-ZÀ-ÖØ-Þ0-9])|(?<=[。！？])")


def split(text: str, chunk: Chunk, measure: Measure) -> list[str]:
    """Passages of at most chunk.max, of at least chunk.min where the text allows.

    text: cleaned. measure: how long a text is in the chunk's unit.
    A rest shorter than chunk.min is joined to the passage before it where both fit into chunk.max, else kept as it is.
    """
    passages: list[list[str]] = []
    current: list[str] = []
    for piece in _pieces(text, chunk, measure):
        too_long = current and measure(GAP.join([*current, piece])) > chunk.max
        scene_done = piece == SCENE_BREAK and measure(GAP.join(current)) >= chunk.min
        if too_long or scene_done:
            passages.append(current)
            current = _overlap(current, chunk, measure)
            if current and measure(GAP.join([*current, piece])) > chunk.max:
                current = []  # the next piece needs the room
        current.append(piece)
    passages.append(current)
    return [text for text in map(_text, _without_short_rest(passages, chunk, measure)) if text]


def _pieces(text: str, chunk: Chunk, measure: Measure) -> Iterator[str]:
    """Paragraphs; one longer than chunk.max in sentences, a sentence longer than that in words, a word in characters."""
    for paragraph in paragraphs(text):
        if measure(paragraph) <= chunk.max:
            yield paragraph
        else:
            yield from _cut(paragraph, chunk.max, measure)


def _cut(paragraph: str, most: int, measure: Measure) -> Iterator[str]:
    current = ""
    for part, joint in _parts(paragraph, most, measure):
        longer = f"{current}{joint}{part}" if current else part
        if current and measure(longer) > most:
            yield current
            longer = part
        current = longer
    if current:
        yield current


def _parts(paragraph: str, most: int, measure: Measure) -> Iterator[tuple[str, str]]:
    """(part, what joins it to the part before)"""
    for sentence in sentences(paragraph):
        if measure(sentence) <= most:
            yield sentence, " "
            continue
        for word in sentence.split():
            if measure(word) <= most:
                yield word, " "
            else:
                size = max(1, len(word) * most // (2 * measure(word)))
                yield from ((word[at : at + size], " " if at == 0 else "") for at in range(0, len(word), size))


def sentences(text: str) -> list[str]:
    """Sentences of a paragraph, closing quotes kept with the sentence they end."""
    return [part for part in _SENTENCE_END.split(text) if part.strip()]


def _overlap(passage: list[str], chunk: Chunk, measure: Measure) -> list[str]:
    kept = ""
    ends = [sentence for piece in passage if piece != SCENE_BREAK for sentence in sentences(piece)] if chunk.overlap else []
    for sentence in reversed(ends):
        longer = f"{sentence} {kept}".strip()
        if measure(longer) > chunk.overlap:
            break
        kept = longer
    return [kept] if kept else []


def _without_short_rest(passages: list[list[str]], chunk: Chunk, measure: Measure) -> list[list[str]]:
    if len(passages) > 1 and measure(_text(passages[-1])) < chunk.min:
        joined = [*passages[-2], *passages[-1]]
        if not chunk.overlap and measure(_text(joined)) <= chunk.max:
            return [*passages[:-2], joined]
    return passages


def _text(pieces: list[str]) -> str:
    """A passage neither begins nor ends with a scene break."""
    while pieces and pieces[0] == SCENE_BREAK:
        pieces = pieces[1:]
    while pieces and pieces[-1] == SCENE_BREAK:
        pieces = pieces[:-1]
    return GAP.join(pieces)
