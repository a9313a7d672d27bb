"""Says the measured style as a system prompt that a model can follow."""

from __future__ import annotations

from lorewright.data.style.languages import NAMES
from lorewright.data.style.profile import Style
from lorewright.data.style.reference import REFERENCE

FOND = 1.5
"""How often a writer who is fond of a mark sets it, times what is usual in English fiction."""
PLAIN, RICH = 0.025, 0.085
"""Share of rare words below and above which the choice of words is worth a sentence: two deviations from the usual in fiction."""


def system_prompt(style: Style) -> str:
    """One short paragraph. What could not be measured is not in it."""
    lead = "You are a fiction writer. You write "
    return f"{lead}{', '.join(_manner(style))}. {_talk(style.dialogue)}{_fondness(style)}{_words(style)} Stay in this voice."


def _manner(style: Style) -> list[str]:
    manner = [f"in the {style.person} person"] if style.person else []
    if style.tense:
        manner.append(f"{style.tense} tense" if manner else f"in the {style.tense} tense")
    shape = " and ".join(part for part in (_rhythm(style), _density(style)) if part)
    return [*manner, f"in {shape}"] if shape else manner or ["prose"]


def _rhythm(style: Style) -> str:
    if not style.sentence_length or style.short_sentences is None:
        return ""
    length = style.sentence_length.mean
    rhythm = "short, plain" if length < 11 else "long, winding" if length > 20 else "medium-length"
    mixed = " broken by very short ones" if style.short_sentences > 0.25 and length >= 11 else ""
    return f"{rhythm} sentences{mixed}"


def _density(style: Style) -> str:
    if not style.paragraph_length:
        return ""
    length = style.paragraph_length.mean
    return "brief paragraphs" if length < 35 else "dense paragraphs" if length > 90 else "paragraphs of a few sentences"


def _talk(dialogue: float) -> str:
    if dialogue > 0.35:
        return "Let dialogue carry the scene."
    return "Use dialogue sparingly." if dialogue < 0.12 else "Balance narration and dialogue."


def _fondness(style: Style) -> str:
    marks = [
        name
        for name, mark in (("dashes", "dash"), ("semicolons", "semicolon"))
        if style.marks.get(mark, 0.0) > FOND * REFERENCE["marks"][mark][0]
    ]
    return f" You are fond of {' and '.join(marks)}." if marks else ""


def _words(style: Style) -> str:
    """The one sentence more: the language where it is not English, else a choice of words far from the common."""
    if style.language and style.language != "en":
        return f" Write in {NAMES[style.language]}."
    if style.rare_words is None:
        return ""
    return " Choose plain, everyday words." if style.rare_words < PLAIN else " Choose rare, exact words." if style.rare_words > RICH else ""
