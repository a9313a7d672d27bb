"""Words and phrases of the books, by what they can stand for in a sentence: thousands of each, so that no wording can be remembered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from making.chats.events import VERBS
from making.corpus import Book
from making.words import WORDS

_PAIR = re.compile(r"\b(?:an?|the|his|her|its|their) ([a-z]{3,12}) ([a-z]{3,12})(?=[,.;:!?])")
_SINGLE = re.compile(r"\b(?:an?|the) ([a-z]{3,14})(?=[,.;:!?])")
_PLURAL = re.compile(r"\b(?:two|three|four|five|six|seven|ten|many|several|some|these|those|hundred|of) ([a-z]{3,12}[^su’]s)(?=[,.;:!?])")
_PAST = re.compile(r"\b(?:[Hh]e|[Ss]he|[Tt]hey|I|[Ww]e|[Ii]t|who) ([a-z]{3,11}ed)\b")
_BASE = re.compile(r"\bto ([a-z]{3,12})\b")
_WHERE = re.compile(
    r"\b((?:in|on|under|behind|beneath|beside|above|near|across|inside|through|against|among|beyond|before|after|during|towards?|over|at"
    r"|from|without) (?:the|an?) (?:[a-z]{3,11} )?[a-z]{3,11})(?=[,.;:!?])"
)
_HOW = re.compile(r"\b([a-z]{4,10}ly)(?=[,.;])")
_ASIDE = frozenset(WORDS["kept aside"])
_DULL = frozenset(WORDS["dull"]) | frozenset(WORDS["common"]) | {"was", "were", "had", "been", "them", "him", "all", "which", "who"}
_READ = 300_000
"""Characters read of each book: enough words, and quick."""


class Vocabulary:
    """verbs: (base, third person, past); where: phrases such as `under the old bridge`. Words kept aside for measuring are in none."""

    def __init__(self, books: list[Book]) -> None:
        texts = [book.text[:_READ] for book in books]
        pairs = {pair for text in texts for pair in _PAIR.findall(text)}
        self.adjectives = _clean({first for first, _ in pairs}) or _clean(WORDS["treated"])
        single = {found for text in texts for found in _SINGLE.findall(text)}
        self.nouns = _clean(single | {last for _, last in pairs}) + _clean(WORDS["trades"])
        self.plurals = _clean(found for text in texts for found in _PLURAL.findall(text)) or _clean(WORDS["goods"])
        self.adverbs = _clean(found for text in texts for found in _HOW.findall(text)) or ["slowly"]
        self.where = _clean(found for text in texts for found in _WHERE.findall(text)) or ["in the morning"]
        bases = {found for text in texts for found in _BASE.findall(text)}
        regular = [(base, past) for text in texts for past in _PAST.findall(text) if (base := _base(past, bases))]
        told = {(base, past) for base, past in regular} | {(pair.split()[0], pair.split()[1]) for pair in VERBS.split(",")}
        self.verbs = sorted((base, third(base), past) for base, past in told if not {base, past} & _ASIDE)
        self.base = {past: base for base, _, past in self.verbs}


def _clean(found: Iterable[str]) -> list[str]:
    words = ((text, set(text.split())) for text in found)
    return sorted({text for text, parts in words if not (_ASIDE | _DULL) & (parts | {part.removesuffix("s") for part in parts})})


def _base(past: str, bases: set[str]) -> str:
    """The infinitive of a regular past form, if the books have it; empty else."""
    tries = [past[:-2], past[:-1], past[:-3] + "y" if past.endswith("ied") else "", past[:-3] if past[-3:-2] == past[-4:-3] else ""]
    return next((one for one in tries if one in bases), "")


def third(base: str) -> str:
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2:-1] not in "aeiou" else base + "s"
