"""Words and sentences of a text."""

from __future__ import annotations

import re

_ENGLISH = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_QUOTES = re.compile(r"[“”„«»\"]|(?<!\w)[‘']|(?<=[.,!?…])[’']")


def words_of(text: str, language: str | None) -> list[str]:
    """Words as they stand. English keeps `don't` as one word; elsewhere an apostrophe joins two (`l'homme`)."""
    return (_ENGLISH if language == "en" else _LETTERS).findall(text)


def sentences(paragraph: str, language: str | None) -> list[str]:
    """Sentences of a paragraph by sentencex, which knows the abbreviations of some 300 languages.

    It takes a quotation for one sentence, however long the speech: so the quotation marks go first. What goes on in small
    letters (“Late!” he said) belongs to the sentence before it.
    """
    from sentencex import segment

    found: list[str] = []
    for part in segment(language or "en", _QUOTES.sub("", paragraph)):
        sentence = part.strip()
        if found and sentence[:1].islower():
            found[-1] += f" {sentence}"
        elif sentence:
            found.append(sentence)
    return found
