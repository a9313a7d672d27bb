"""The measured style as plain data: what style.json holds and what later benchmarks compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

CLASS, CLASSES = 3, 20
"""Sentence lengths are counted in classes of three words; the last holds 58 and more."""


@dataclass(frozen=True)
class Spread:
    """How a length varies, in words."""

    mean: float
    deviation: float
    p10: float
    p25: float
    median: float
    p75: float
    p90: float


@dataclass(frozen=True)
class Favourite:
    """A word used more than the language uses it. count: in this text. times: as often as in the language. keyness: log-likelihood G²."""

    word: str
    count: int
    times: float
    keyness: float


@dataclass(frozen=True)
class Style:
    """What was measured. Shares are 0 to 1; lengths are words; marks and function words count per 1,000 words.

    None, an empty mapping or an empty tuple: could not be measured in this language, or in so short a text.
    """

    language: str | None = None
    """ISO 639-1"""
    words: int = 0
    sentences: int = 0
    paragraphs: int = 0
    sentence_length: Spread | None = None
    sentence_lengths: tuple[int, ...] = ()
    """How many sentences have 1–3, 4–6 … words; the last class holds all longer ones."""
    paragraph_length: Spread | None = None
    short_sentences: float | None = None
    """Of six words or fewer."""
    dialogue: float = 0.0
    """Of the letters."""
    person: str | None = None
    tense: str | None = None
    past: float | None = None
    """Of the narration's verbs that are past or present."""
    variety: float | None = None
    """Different words in 500, averaged over windows."""
    rare_words: float | None = None
    """Known to the language, but fewer than 3 in a million."""
    adverbs: float | None = None
    adjectives: float | None = None
    marks: Mapping[str, float] = field(default_factory=dict)
    openings: Mapping[str, float] = field(default_factory=dict)
    """First words of sentences, and how many sentences they open."""
    function_words: Mapping[str, float] = field(default_factory=dict)
    favourites: tuple[Favourite, ...] = ()


def to_json(style: Style) -> dict[str, Any]:
    return asdict(style)


def from_json(values: Mapping[str, Any]) -> Style:
    """The style in a style.json; keys that are no part of it, such as the system prompt, are passed over."""
    known = {name: values[name] for name in Style.__dataclass_fields__ if name in values}
    for name in ("sentence_length", "paragraph_length"):
        known[name] = Spread(**known[name]) if known.get(name) else None
    known["sentence_lengths"] = tuple(known.get("sentence_lengths", ()))
    known["favourites"] = tuple(Favourite(**favourite) for favourite in known.get("favourites", ()))
    return Style(**known)
