"""Which words a writer uses, against how often the language uses them (wordfreq)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from statistics import fmean

from lorewright.data.style.languages import NOUNS_CAPITAL
from lorewright.data.style.profile import Favourite
from lorewright.data.style.reference import REFERENCE

WINDOW = 500
RARE = 3e-6
UNKNOWN = 1e-8
"""Taken as the frequency of a word that the list does not have: below its rarest."""
SHOWN, LEAST_WORDS, LEAST_TIMES, SLICES = 24, 500, 3.0, 10


def variety(words: Sequence[str]) -> float | None:
    """Type-token ratio averaged over windows of 500 words, so that a longer text is not a poorer one. words: in small letters."""
    windows = [words[at : at + WINDOW] for at in range(0, len(words) - WINDOW + 1, WINDOW)]
    return round(fmean(len(set(window)) for window in windows) / WINDOW, 3) if windows else None


def frequencies(language: str | None) -> Mapping[str, float]:
    """How often each word stands in the language, 0 to 1; empty where there is no list."""
    from wordfreq import available_languages, get_frequency_dict

    return get_frequency_dict(language, "best") if language in available_languages("best") else {}


def rare_words(counts: Mapping[str, int], known: Mapping[str, float], language: str | None) -> float | None:
    """Share of words that the language knows and seldom uses. counts: as they stand, so that names can be passed over."""
    if not known or sum(counts.values()) < LEAST_WORDS:
        return None
    plain = {word: count for word, count in counts.items() if word[0].islower() or language in NOUNS_CAPITAL}
    rare = sum(count for word, count in plain.items() if 0 < known.get(word.lower(), 0.0) < RARE)
    return round(rare / max(1, sum(plain.values())), 4)


def function_list(language: str | None) -> tuple[str, ...]:
    """The words a style is told by: for English those of REFERENCE, else the language's 150 commonest."""
    if language == "en":
        return tuple(REFERENCE["function_words"])
    from wordfreq import available_languages, top_n_list

    if language not in available_languages("small"):
        return ()
    return tuple(word for word in top_n_list(str(language), 170, wordlist="small") if word.isalpha())[:150]


def function_words(lowered: Mapping[str, int], total: int, language: str | None) -> dict[str, float]:
    """Each function word per 1,000 words."""
    return {word: round(1000 * lowered.get(word, 0) / total, 3) for word in function_list(language)} if total else {}


def favourites(words: Sequence[str], counts: Mapping[str, int], known: Mapping[str, float], language: str | None) -> tuple[Favourite, ...]:
    """The words most characteristic of the text by log-likelihood (Dunning 1993), names and function words left out.

    Against the language, and in English against fiction too: every novel has more eyes and doors than the language has.
    words: in small letters, in order. counts: as they stand. A word must come back in three tenths of the text: one scene's
    subject is no favourite.
    """
    if not known or len(words) < LEAST_WORDS:
        return ()
    common = {*function_list(language), *_commonest(language)}
    lowered = Counter(words)
    least = max(3, len(words) // 30_000)
    candidates = [
        _favourite(word, count, len(words), max(known.get(word, UNKNOWN), REFERENCE["fiction"].get(word, 0.0) if language == "en" else 0.0))
        for word, count in lowered.items()
        if count >= least and len(word) > 2 and word.isalpha() and word not in common and not _name(word, counts, count, language)
    ]
    ranked = sorted((one for one in candidates if one.times >= LEAST_TIMES), key=lambda one: (-one.keyness, one.word))
    tenths = [set(words[at * len(words) // SLICES : (at + 1) * len(words) // SLICES]) for at in range(SLICES)]
    spread = (one for one in ranked if sum(one.word in tenth for tenth in tenths) >= 3)
    return tuple(one for _, one in zip(range(SHOWN), spread, strict=False))


def _commonest(language: str | None) -> list[str]:
    from wordfreq import top_n_list

    return list(top_n_list(str(language), 200))


def _name(word: str, counts: Mapping[str, int], count: int, language: str | None) -> bool:
    """Mostly written with a capital."""
    return language not in NOUNS_CAPITAL and counts.get(word, 0) < 0.5 * count


def _favourite(word: str, count: int, total: int, frequency: float) -> Favourite:
    """G² of one word against a language so large that its own counts are exact: 2(o·ln(o/e) − (o − e))."""
    expected = max(frequency, UNKNOWN) * total
    score = 2 * (count * log(count / expected) - (count - expected))
    return Favourite(word, count, round(count / expected, 1), round(score, 1))
