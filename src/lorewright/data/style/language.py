"""Which language a text is in: by its script, else by how much of it the commonest words of each language cover."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from lorewright.data.style.languages import NAMES, UNSPACED

SAMPLE = 200_000
"""Characters looked at."""
COMMONEST = 100
SURE, LEAST = 0.35, 0.12
"""Share of a text that English's commonest words cover where no other language need be asked, and the least for any."""
_SCRIPTS = (("ja", re.compile(r"[\u3040-\u30ff]")), ("ko", re.compile(r"[\uac00-\ud7af]")), ("zh", re.compile(r"[\u4e00-\u9fff]")))


def language_of(text: str) -> str | None:
    """ISO 639-1, one of languages.NAMES; None where none fits."""
    sample = text[:SAMPLE]
    for language, script in _SCRIPTS:
        if len(script.findall(sample)) * 10 > len(sample):
            return language
    counts = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    if _covered(counts, "en") > SURE:
        return "en"
    share, language = max((_covered(counts, name), name) for name in NAMES if name not in UNSPACED)
    return language if share > LEAST else None


def _covered(counts: Mapping[str, int], language: str) -> float:
    from wordfreq import top_n_list

    common = {part for word in top_n_list(language, COMMONEST, wordlist="small") for part in word.split("'") if part.isalpha()}
    return sum(counts.get(word, 0) for word in common) / max(1, sum(counts.values()))
