"""Names: invented from syllables, found in prose, and exchanged consistently, so that names are copied, not remembered."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping

from making.words import WORDS

ONSETS = WORDS["onsets"]
VOWELS = WORDS["vowels"]
CODAS = WORDS["codas"]
PLACE_ENDS = WORDS["place ends"]
TITLES = WORDS["titles"]
SHIP_FIRST = WORDS["ship first"]
SHIP_LAST = WORDS["ship last"]

_MID_SENTENCE = re.compile(r"(?<=[a-z,;] )([A-Z][a-z]{2,})\b")
_WORD = re.compile(r"[A-Za-z]+")
NOT_NAMES = frozenset(WORDS["not names"])


def syllable(draw: random.Random) -> str:
    return draw.choice(ONSETS) + draw.choice(VOWELS) + draw.choice(CODAS)


def word_name(draw: random.Random) -> str:
    """One invented name of one to three syllables, such as `Skaurel`."""
    parts = [syllable(draw) for _ in range(draw.choices((1, 2, 3), (3, 6, 2))[0])]
    if len(parts) > 1 and draw.random() < 0.6:
        parts[0] = parts[0].rstrip("bcdfghjkmnpqtvwxz") or parts[0]
    name = "".join(parts)
    if draw.random() < 0.2 and len(name) < 9:
        name += draw.choice(("a", "o", "en", "is", "us", "ine", "el", "or"))
    return (name if len(name) > 2 else name + "an").capitalize()


def place_name(draw: random.Random) -> str:
    """A place's invented name, with or without an ending such as -mouth, or as `the Grey Stair`."""
    pick = draw.random()
    if pick < 0.45:
        return word_name(draw)
    if pick < 0.8:
        return syllable(draw).capitalize() + draw.choice(PLACE_ENDS)
    return f"{draw.choice(('Port', 'Fort', 'Upper', 'Lower', 'New', 'Mount', 'Saint', 'Great'))} {word_name(draw)}"


def ship_name(draw: random.Random) -> str:
    """A vessel's name: `the Patient Heron`, or `the Vorska`."""
    return f"the {draw.choice(SHIP_FIRST)} {draw.choice(SHIP_LAST)}" if draw.random() < 0.6 else f"the {word_name(draw)}"


def person_name(draw: random.Random, pool: list[str]) -> str:
    """A person's name: invented, or out of a pool of names from the books; one or two words, at times with a title."""
    first = draw.choice(pool) if pool and draw.random() < 0.35 else word_name(draw)
    pick = draw.random()
    if pick < 0.45:
        return first
    if pick < 0.85:
        return f"{first} {word_name(draw)}"
    return f"{draw.choice(TITLES)} {first}"


def found_in(text: str, least: int = 5) -> list[str]:
    """The names of a book: words that stand capitalised within sentences and hardly ever in small letters, most frequent first."""
    small = Counter(word for word in _WORD.findall(text) if word[0].islower())
    capital = Counter(_MID_SENTENCE.findall(text))
    return [
        name for name, times in capital.most_common(400) if times >= least and name not in NOT_NAMES and small[name.lower()] * 10 < times
    ]


def present(text: str, names: frozenset[str]) -> list[str]:
    """Those of the names that occur in the text, in the order of their first occurrence."""
    return list(dict.fromkeys(word for word in _WORD.findall(text) if word in names))


def exchange(text: str, mapping: Mapping[str, str]) -> str:
    """The text with each name replaced by its counterpart wherever it stands as a whole word."""
    return _WORD.sub(lambda found: mapping.get(found.group(0), found.group(0)), text) if mapping else text


def new_names(names: list[str], draw: random.Random, pool: list[str]) -> dict[str, str]:
    """A fresh single-word name for each: mostly invented, some from the pool; no two the same."""
    mapping: dict[str, str] = {}
    for name in names:
        other = draw.choice(pool) if pool and draw.random() < 0.3 else word_name(draw)
        while other in mapping.values():
            other = word_name(draw)
        mapping[name] = other
    return mapping
