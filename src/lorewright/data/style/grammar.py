"""Person, tense and the share of adverbs and adjectives, in the narration."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.metadata import files
from pathlib import Path

from lorewright.data.style.languages import SIGNS

LEAST = 3
"""Signs below which nothing is said."""
_PAST, _PRESENT = {"VBD"}, {"VBZ", "VBP"}
_AFTER_SUBJECT = re.compile(r"(?<!did )\b(?:i|you|we|they) ([a-z]+)\b")
"""The base form is a present only after these: you open, to open."""
_ADVERBS, _ADJECTIVES = {"RB", "RBR", "RBS"}, {"JJ", "JJR", "JJS"}
_NO_MANNER = {"not"}
_ENDINGS = (("ly", "RB"), ("ed", "VBD"), ("'d", "MD"), ("n't", "MD"))
"""Tags of words that are not in the lexicon."""


def person(counts: Mapping[str, int], language: str | None) -> str | None:
    """Who tells. counts: the narration's words in small letters. A first-person narrator speaks of others too, hence the third."""
    signs = SIGNS.get(language or "")
    if not signs:
        return None
    first, second, third = (sum(counts.get(word, 0) for word in of) for of in (signs.first, signs.second, signs.third))
    if first + second + third < LEAST:
        return None
    if second > first and second > third:
        return "second"
    return "first" if first > third / 3 else "third"


def past_share(told: str, counts: Mapping[str, int], tags: Mapping[str, int], language: str | None) -> float | None:
    """Past among past and present verbs: by a lexicon of tags in English, by the commonest verbs in the other languages we know.

    told: the narration in small letters. counts, tags: of its words.
    """
    signs = SIGNS.get(language or "")
    if not signs:
        return None
    if language == "en":
        past, present = (sum(tags.get(tag, 0) for tag in of) for of in (_PAST, _PRESENT))
        present += sum(_lexicon().get(verb) == "VB" for verb in _AFTER_SUBJECT.findall(told))
    else:
        past, present = (sum(counts.get(word, 0) for word in of) for of in (signs.past, signs.present))
    return round(past / (past + present), 3) if past + present >= LEAST else None


def tags_of(counts: Mapping[str, int], language: str | None) -> Counter[str]:
    """Penn Treebank tags of English words in small letters, each by its commonest use; empty for other languages.

    Shares of a whole text need no context: against TextBlob's tagger the past share differs by 0.01, adverbs by 0.005.
    """
    if language != "en":
        return Counter()
    lexicon, tags = _lexicon(), Counter[str]()
    for word, count in counts.items():
        if word not in _NO_MANNER:
            tags[lexicon.get(word) or next((tag for end, tag in _ENDINGS if word.endswith(end)), "NN")] += count
    return tags


@cache
def _lexicon() -> dict[str, str]:
    """Word -> its commonest tag, from the list that TextBlob ships (94,000 words). Its code is not imported: NLTK, which it
    loads, takes a second to start."""
    file = next(file for file in files("textblob") or [] if file.as_posix().endswith("en/en-lexicon.txt"))
    lines = (line.split() for line in Path(str(file.locate())).read_text(encoding="utf-8").splitlines() if line[:3] != ";;;")
    return {parts[0]: parts[1] for parts in lines if len(parts) > 1}


def adverbs_and_adjectives(tags: Mapping[str, int]) -> tuple[float | None, float | None]:
    """Their shares of the words; None where nothing was tagged."""
    total = sum(tags.values())
    if not total:
        return None, None
    adverbs, adjectives = (sum(tags.get(tag, 0) for tag in of) / total for of in (_ADVERBS, _ADJECTIVES))
    return round(adverbs, 3), round(adjectives, 3)
