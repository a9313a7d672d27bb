"""Measures how someone writes, and says it as a system prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import mean

from lorewright.data.clean import SCENE_BREAK, paragraphs
from lorewright.data.split import sentences

_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|«[^»]*»")
_WORD = re.compile(r"[^\W\d_]+(?:[’'][^\W\d_]+)?")
FIRST = {"i", "me", "my", "mine", "we", "us", "our"}
THIRD = {"he", "him", "his", "she", "her", "hers", "they", "them", "their"}
PAST = {"was", "were", "had", "did", "said", "went", "came", "took", "knew", "thought", "stood", "looked", "asked", "told", "made"}
PRESENT = {"is", "are", "has", "does", "says", "goes", "comes", "takes", "knows", "thinks", "stands", "looks", "asks", "tells", "makes"}


@dataclass(frozen=True)
class Style:
    """What was measured. Shares are 0 to 1; lengths are words; the marks count per 1,000 words."""

    words: int
    sentence_length: float
    short_sentences: float
    paragraph_length: float
    dialogue: float
    person: str
    tense: str
    variety: float
    dashes: float
    semicolons: float


def analyse(texts: list[str]) -> Style:
    """The style of cleaned texts. Narration alone decides person and tense: dialogue is in everybody's voice."""
    blocks = [block for text in texts for block in paragraphs(text) if block != SCENE_BREAK]
    whole = "\n".join(blocks)
    words = _WORD.findall(whole)
    narration = [word.lower() for word in _WORD.findall(_QUOTED.sub(" ", whole))]
    lengths = [len(_WORD.findall(sentence)) for block in blocks for sentence in sentences(block)] or [0]
    spoken = sum(len(_WORD.findall(quote)) for quote in _QUOTED.findall(whole))
    count = max(1, len(words))
    return Style(
        words=len(words),
        sentence_length=round(mean(lengths), 1),
        short_sentences=round(sum(length <= 6 for length in lengths) / len(lengths), 3),
        paragraph_length=round(mean(len(_WORD.findall(block)) for block in blocks), 1) if blocks else 0.0,
        dialogue=round(spoken / count, 3),
        person="first" if _share(narration, FIRST) > _share(narration, THIRD) / 3 else "third",
        tense="past" if _share(narration, PAST) >= _share(narration, PRESENT) else "present",
        variety=_variety(narration),
        dashes=round(1000 * len(re.findall(r"—|–|\s--?\s", whole)) / count, 1),
        semicolons=round(1000 * whole.count(";") / count, 1),
    )


def _share(words: list[str], of: set[str]) -> float:
    return sum(word in of for word in words) / max(1, len(words))


def _variety(words: list[str]) -> float:
    """Type-token ratio averaged over windows of 500 words, so that a longer text is not a poorer one."""
    windows = [words[at : at + 500] for at in range(0, max(1, len(words) - 499), 500)]
    return round(mean(len(set(window)) / max(1, len(window)) for window in windows), 3)


def system_prompt(style: Style) -> str:
    """The measured style in words a model can follow."""
    rhythm = "short, plain" if style.sentence_length < 11 else "long, winding" if style.sentence_length > 20 else "medium-length"
    mixed = " broken by very short ones" if style.short_sentences > 0.25 and style.sentence_length >= 11 else ""
    talk = (
        "Let dialogue carry the scene."
        if style.dialogue > 0.35
        else "Use dialogue sparingly."
        if style.dialogue < 0.12
        else "Balance narration and dialogue."
    )
    density = (
        "brief paragraphs"
        if style.paragraph_length < 35
        else "dense paragraphs"
        if style.paragraph_length > 90
        else "paragraphs of a few sentences"
    )
    marks = [name for name, rate in (("dashes", style.dashes), ("semicolons", style.semicolons)) if rate > 3]
    punctuation = f" You are fond of {' and '.join(marks)}." if marks else ""
    return (
        f"You are a fiction writer. You write in the {style.person} person, {style.tense} tense, in {rhythm} sentences{mixed} "
        f"and {density}. {talk}{punctuation} Stay in this voice."
    )
