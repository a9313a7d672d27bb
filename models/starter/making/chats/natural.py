"""Facts in the books' own sentences: their subject exchanged for an entity, one of their things for another, and asked about.

`He hung the wet coat behind the door.` becomes `Maro Tell hung a brass trumpet behind the door.`, asked about with
`What did Maro Tell hang behind the door?`
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from making.chats.chat import cap
from making.chats.fact import Entity, Fact, Question
from making.chats.vocabulary import Vocabulary
from making.corpus import Book, paragraphs, sentences

_READ = 1_000_000
_PLAIN = re.compile(r"^[A-Z][A-Za-z ,’-]{28,130}\.$")
_SUBJECT = re.compile(r"^(He|She|It|The [a-z]{3,12}) (?=[a-z])")
_THING = re.compile(r"\bthe [a-z]{4,12}\b(?! of\b)")
_VALUE = re.compile(r"\b(?:an?|the|his|her|its|their|some|two|three|many|no) (?:[a-z]{3,12} )?[a-z]{4,12}(?=[ ,.])(?! of\b)")
_FIRST_PERSON = re.compile(r"\b(?:I|we|my|our|us|me|you|your)\b", re.IGNORECASE)
_AUXILIARY = frozenset(("was", "is", "had", "has", "could", "would", "can", "will", "must", "should", "might", "did", "were"))
_BEFORE_VALUE = frozenset(
    ("in", "on", "under", "behind", "with", "from", "to", "at", "into", "for", "by", "of", "through", "against", "over", "beside",
     "beneath", "upon", "about", "near")
)  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence with {e} for its entity and {v} for its value.

    kinds: what the entity can be. verb: the word behind {e}, if the sentence begins with it.
    """

    text: str
    value: str
    kinds: tuple[str, ...]
    verb: str


def mined(books: list[Book], known: dict[str, frozenset[str]]) -> list[Sentence]:
    """Every sentence of the books that can be made a fact; known: the names of each book."""
    every = (
        (said, known[book.name])
        for book in books
        for block in paragraphs(book.text[:_READ])
        if block[:1].isupper()
        for said in sentences(block)
        if _PLAIN.match(said) and not _FIRST_PERSON.search(said)
    )
    return [made for said, names in every if (made := _sentence(said, names))]


def _sentence(said: str, names: frozenset[str]) -> Sentence | None:
    """The sentence with its slots; none if it names more than its subject, or has nothing to exchange."""
    if re.search(r"[A-Z][a-z]", said[1:]) or not (found := _with_entity(said, names)):
        return None
    text, kinds = found
    spans = [span for span in _VALUE.finditer(text) if "{" not in span[0]]
    if not spans:
        return None
    span = spans[len(said) % len(spans)]
    verb = text[4:].split(" ", 1)[0].strip(",") if text.startswith("{e} ") else ""
    return Sentence(f"{text[: span.start()]}{{v}}{text[span.end() :]}", span[0], kinds, verb)


def _with_entity(said: str, names: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    """The sentence with {e} for its subject, or for a thing in it, and what that can be."""
    first = said.split(" ", 1)[0].rstrip(",")
    if first in names:
        return "{e}" + said[len(first) :], ("person",)
    if subject := _SUBJECT.match(said):
        return "{e}" + said[len(subject[1]) :], ("person",) if subject[1] in ("He", "She") else ("thing", "place")
    if thing := _THING.search(said):
        return f"{said[: thing.start()]}{{e}}{said[thing.end() :]}", ("thing", "place")
    return None


def natural_fact(about: Entity, given: Sentence, value: str, words: Vocabulary, draw: random.Random) -> Fact:
    """The sentence about the entity, with this value."""
    lore = cap(given.text.replace("{e}", about.name).replace("{v}", value))
    asked = [Question(cap(_asked(given, about.name, words, draw)), lore, value)]
    if draw.random() < 0.15:
        asked = [Question(_who(given, about, value, draw), lore, about.name)]
    return Fact(about.name, lore, lore, tuple(asked), (value,), f"Natural {given.text}", lore)


def _asked(given: Sentence, e: str, words: Vocabulary, draw: random.Random) -> str:
    """A question for the value: the verb in front if the grammar is known, else the sentence with a gap."""
    before, after = given.text.rstrip(".").split("{v}", 1)
    after = _shorter(after, draw)
    word = draw.choice(("what", "what", "what", "which thing"))
    base = words.base.get(given.verb)
    if given.verb and (base or given.verb in _AUXILIARY) and len(before) > len("{e} ") + len(given.verb):
        middle = before[len("{e} ") + len(given.verb) :].strip()
        helper, rest = (given.verb, middle) if not base else ("did", f"{base} {middle}")
        parts = rest.split()
        if draw.random() < 0.3 and parts and parts[-1] in _BEFORE_VALUE:
            return _tidy(f"{parts[-1]} {word} {helper} {e} {' '.join(parts[:-1])} {after}?")
        return _tidy(f"{word} {helper} {e} {rest} {after}?")
    if "{e}" in after or draw.random() < 0.6:
        asked = f"{before}{word}{after}"
    else:  # only what stands near, and the entity
        asked = f"{' '.join(before.split()[-draw.randint(2, 7) :])} {word} {after}"
        asked = asked if "{e}" in asked else f"{asked}, with {{e}}"
    return _tidy(asked.replace("{e}", e) + "?")


def _shorter(after: str, draw: random.Random) -> str:
    """What stands behind the value, or some of it, or nothing; the entity always."""
    if "{e}" in after or draw.random() < 0.4:
        return after
    words = after.split()
    return "" if draw.random() < 0.4 else " " + " ".join(words[: draw.randint(1, 5)])


def _who(given: Sentence, about: Entity, value: str, draw: random.Random) -> str:
    """A question for the entity itself."""
    text = given.text.rstrip(".").replace("{v}", value)
    word = draw.choice(("who", "who", "which of them")) if about.kind == "person" else "what"
    return cap(_tidy(text.replace("{e}", word) + "?"))


def _tidy(text: str) -> str:
    return re.sub(r" (?=[,;:?’])", "", " ".join(text.split())).replace(",?", "?")
