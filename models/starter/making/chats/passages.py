"""Passages of the books with their names, ready to be renamed, asked about and written after."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from making import names
from making.chats.natural import mined as sentences_of
from making.chats.systems import Note
from making.chats.vocabulary import Vocabulary
from making.corpus import SCENE_BREAK, Book, paragraphs, sentences
from making.words import WORDS

_OBJECT = re.compile(r"\b(an? [a-z]{3,12} [a-z]{3,10})(?=[,.;:])")
_PAST = (
    "was had took went came stood saw knew thought gave found sat put held made felt ran drew got kept began told heard led left "
    "spoke rose fell"
)
DEED = re.compile(rf"^([A-Z][a-z]+) ((?:[a-z]+ed|{_PAST.replace(' ', '|')}) [^“”;:?!—]{{8,110}})\.$")
"""A sentence that says of somebody what he did: (name, deed)."""
_DULL = frozenset(WORDS["dull"])


@dataclass(frozen=True)
class Passage:
    """Consecutive paragraphs of a book. number: the how-manieth passage of it; people: the names in it, by first occurrence."""

    book: str
    number: int
    text: str
    people: tuple[str, ...]


class Library:
    """All passages of all books. pool: names that occur in them; mined: things in them, such as `a leather bag`;
    deeds: what people in them did, such as `closed the door behind him`; words: what sentences can be put together from;
    natural: sentences that can be made facts about a person, a place or a thing."""

    def __init__(self, books: list[Book]) -> None:
        self.names = {book.name: frozenset(names.found_in(book.text)) for book in books}
        self.pool = sorted({name for book in books for name in names.found_in(book.text)[:15]})
        self.books = {book.name: cut(book, self.names[book.name]) for book in books}
        self.books = {name: found for name, found in self.books.items() if found}
        self.order = sorted(self.books)
        self.odds = [len(self.books[name]) for name in self.order]
        self.deeds = sorted({deed for book in books for deed in deeds(book, self.names[book.name])})
        self.words = Vocabulary(books)
        every = sentences_of(books, self.names)
        self.natural = {kind: [one for one in every if kind in one.kinds] for kind in ("person", "place", "thing")}
        self.mined = sorted({found for book in books for found in _OBJECT.findall(book.text) if not _DULL & set(found.split())})

    def draw(self, draw: random.Random, least: int = 40, most: int = 190) -> Passage:
        """A passage of so many words, from any book in proportion to its length; the nearest in size after 50 tries."""
        for _ in range(50):
            book = draw.choices(self.order, self.odds)[0]
            passage = draw.choice(self.books[book])
            if least <= len(passage.text.split()) <= most:
                return passage
        return passage

    def near(self, passage: Passage, reach: int) -> list[Passage]:
        """The passages of the same book at most `reach` away, without it."""
        every = self.books[passage.book]
        return [
            every[at] for at in range(max(0, passage.number - reach), min(len(every), passage.number + reach + 1)) if at != passage.number
        ]

    def renamed(self, passages: list[Passage], draw: random.Random, share: float = 0.8) -> tuple[list[str], dict[str, str]]:
        """Their texts with all names exchanged, the same in all (or, 1 − share of the time, as they are); and old name → name there."""
        people = list(dict.fromkeys(name for passage in passages for name in passage.people))
        mapping = names.new_names(people, draw, self.pool) if draw.random() < share else {name: name for name in people}
        return [names.exchange(passage.text, mapping) for passage in passages], mapping

    def distractor(self, draw: random.Random) -> Note:
        """A passage of some book under other names, as a note."""
        passage = self.draw(draw, 20, draw.choice((60, 90, 150)))
        (text,), _ = self.renamed([passage], draw)
        return note_of(passage, text, draw)


def deeds(book: Book, known: frozenset[str]) -> list[str]:
    """What the book says of its people in plain sentences without other names."""
    every = (DEED.match(part) for block in paragraphs(book.text) if block[:1].isupper() for part in sentences(block))
    return [found[2] for found in every if found and found[1] in known and found[2].islower() and len(found[2]) < 80]


def note_of(passage: Passage, text: str, draw: random.Random) -> Note:
    """A passage as lore."""
    chapter = passage.number // 12 + 1
    return Note(f"chapters/{chapter:02}_{passage.number}.{draw.choice(('md', 'txt'))}", f"Chapter {chapter}", text)


def cut(book: Book, known: frozenset[str], most: int = 150) -> list[Passage]:
    """Paragraphs gathered up to about `most` words; none reaches over a scene break."""
    found: list[Passage] = []
    held: list[str] = []

    def close() -> None:
        text = "\n\n".join(held)
        if len(text.split()) >= 20:
            found.append(Passage(book.name, len(found), text, tuple(names.present(text, known))))
        held.clear()

    room = most
    for block in paragraphs(book.text):
        words = len(block.split())
        if block == SCENE_BREAK or len(block) < 25 or words > room:
            close()
            room = most if len(found) % 3 else most // 2
        if block != SCENE_BREAK and len(block) >= 25 and words <= 230:
            held.append(block)
            room -= words
    close()
    return found
