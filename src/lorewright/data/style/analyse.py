"""Measures how someone writes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, pstdev, quantiles

from lorewright.data.clean import SCENE_BREAK, paragraphs
from lorewright.data.style.grammar import adverbs_and_adjectives, past_share, person, tags_of
from lorewright.data.style.language import language_of
from lorewright.data.style.languages import UNSPACED
from lorewright.data.style.profile import CLASS, CLASSES, Spread, Style
from lorewright.data.style.speech import told_and_spoken
from lorewright.data.style.vocabulary import favourites, frequencies, function_words, rare_words, variety
from lorewright.data.style.words import sentences, words_of

MARKS = {
    "comma": r"[,，、،]", "full stop": r"(?<!\.)\.(?!\.)|。", "semicolon": r"[;；؛]", "colon": r"[:：]", "dash": r"[—―]|–(?!\d)|\s--?\s|--",
    "question mark": r"[?？؟]", "exclamation mark": r"[!！]", "ellipsis": r"…|\.\.\.", "bracket": r"[(（\[]",
}  # fmt: skip
SHORT = 6
OPENINGS = 12


def analyse(texts: Sequence[str]) -> Style:
    """The style of cleaned texts. Narration alone decides person and tense: dialogue is in everybody's voice."""
    documents = [_lines(text) for text in texts]
    whole = "\n".join(document for document in documents if document)
    parts = [told_and_spoken(document) for document in documents]
    spoken = sum(_letters(said) for _, said in parts)
    language = language_of(whole)
    style = Style(language=language, paragraphs=whole.count("\n") + 1 if whole else 0, dialogue=round(spoken / max(1, _letters(whole)), 3))
    if language in UNSPACED or not whole:
        return style
    return _measured(style, whole, "\n".join(told for told, _ in parts))


def _lines(text: str) -> str:
    """A document, one line a paragraph, with straight apostrophes inside of words, as the word lists have them."""
    blocks = (block.replace("\n", " ") for block in paragraphs(text) if block != SCENE_BREAK)
    return re.sub(r"(?<=\w)’(?=\w)", "'", "\n".join(blocks))


def _letters(text: str) -> int:
    return len(text) - text.count(" ") - text.count("\n")


def _measured(style: Style, whole: str, told: str) -> Style:
    """All that counts words, added to what is known of any script."""
    language = style.language
    blocks = [_sentences(block, language) for block in whole.split("\n")]
    said = [sentence for block in blocks for sentence in block]
    words = [word for sentence in said for word in sentence]
    lengths = [len(sentence) for sentence in said]
    lowered = [word.lower() for word in words]
    told = told.lower()
    counts, narrated = Counter(words), Counter(words_of(told, language))
    tags, known = tags_of(narrated, language), frequencies(language)
    past = past_share(told, narrated, tags, language)
    adverbs, adjectives = adverbs_and_adjectives(tags)
    return replace(
        style, words=len(words), sentences=len(said), sentence_length=_spread(lengths), sentence_lengths=_classes(lengths),
        paragraph_length=_spread([sum(map(len, block)) for block in blocks if block]),
        short_sentences=round(sum(length <= SHORT for length in lengths) / len(lengths), 3) if lengths else None,
        person=person(narrated, language), tense=None if past is None else "past" if past >= 0.5 else "present", past=past,
        variety=variety(lowered), rare_words=rare_words(counts, known, language), adverbs=adverbs, adjectives=adjectives,
        marks={name: round(1000 * len(re.findall(mark, whole)) / max(1, len(words)), 1) for name, mark in MARKS.items()},
        openings=_openings(said), function_words=function_words(Counter(lowered), len(words), language),
        favourites=favourites(lowered, counts, known, language),
    )  # fmt: skip


def _sentences(block: str, language: str | None) -> list[list[str]]:
    """The words of each sentence that has any."""
    return [words for sentence in sentences(block, language) if (words := words_of(sentence, language))]


def _spread(lengths: Sequence[int]) -> Spread | None:
    if not lengths:
        return None
    tenths = quantiles(lengths, n=20, method="inclusive") if len(lengths) > 1 else [float(lengths[0])] * 19
    chosen = (fmean(lengths), pstdev(lengths), tenths[1], tenths[4], tenths[9], tenths[14], tenths[17])
    return Spread(*(round(value, 1) for value in chosen))


def _classes(lengths: Sequence[int]) -> tuple[int, ...]:
    found = Counter(min((length - 1) // CLASS, CLASSES - 1) for length in lengths)
    return tuple(found[number] for number in range(CLASSES))


def _openings(said: Sequence[Sequence[str]]) -> dict[str, float]:
    """The commonest first words and their shares."""
    firsts = Counter(sentence[0].lower() for sentence in said)
    return {word: round(count / len(said), 4) for word, count in firsts.most_common(OPENINGS)}
