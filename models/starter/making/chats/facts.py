"""Draws entities and facts about them."""

from __future__ import annotations

# ruff: noqa: S311 - seeded on purpose
import random
from dataclasses import replace

from making import names
from making.chats import values
from making.chats.attributes import ASKED, ASKED_BY_KIND, ATTRIBUTES, LORE, PLURAL, REPLIES, TOLD, Relation
from making.chats.chat import fill
from making.chats.events import event
from making.chats.fact import Entity, Fact, Question
from making.chats.natural import Sentence, natural_fact
from making.chats.openfacts import name, open_fact, phrase
from making.chats.passages import Library
from making.chats.relations import RELATIONS
from making.chats.vocabulary import Vocabulary
from making.words import WORDS

_THINGS = WORDS["things"]


def entity(draw: random.Random, kind: str, pool: list[str], words: Vocabulary | None = None) -> Entity:
    """A person, place or thing with an invented name; with a vocabulary, half of the names are made of ordinary words."""
    if words and draw.random() < 0.5:
        return Entity(name(words, draw, pool), kind)
    if kind == "person":
        return Entity(names.person_name(draw, pool), kind)
    if kind == "place":
        return Entity(names.place_name(draw), kind)
    if draw.random() < 0.5:
        return Entity(names.ship_name(draw), kind)
    return Entity(
        f"the {draw.choice(_THINGS)} of {names.word_name(draw)}"
        if draw.random() < 0.5
        else f"the {names.word_name(draw)} {draw.choice(_THINGS).capitalize()}",
        kind,
    )


def facts(about: Entity, count: int, draw: random.Random, library: Library) -> list[Fact]:
    """That many facts about one entity, no two of the same kind."""
    found: dict[str, Fact] = {}
    share = draw.choice(((0.0, 0.0), (0.3, 0.6), (0.2, 0.8), (0.1, 0.9), (1.0, 0.0)))
    while len(found) < count:
        made = fact(about, draw, library, *share)
        found.setdefault(made.label, made)
    return list(found.values())


def fact(about: Entity, draw: random.Random, library: Library, open_share: float, natural_share: float) -> Fact:
    """One fact: put together from any words, a sentence of the books, or of the kinds that have their own wordings."""
    pick = draw.random()
    if pick < open_share:
        return opened(about, draw.getrandbits(48), draw, library)
    if pick < open_share + natural_share and library.natural[about.kind]:
        return natural(about, draw.choice(library.natural[about.kind]), draw, library)
    pick = draw.random()
    if pick < 0.2 and about.kind == "person":
        return event(about, draw, library.mined)
    if pick < 0.3 and about.kind == "person" and library.deeds:
        return deed(about, draw, library.deeds)
    if pick < 0.6:
        return related(about, draw.choice([one for one in RELATIONS if one.of == about.kind]), draw, library.mined)
    return attribute(about, draw.choice(ATTRIBUTES[about.kind]), draw, library.mined)


def opened(about: Entity, seed: int, draw: random.Random, library: Library) -> Fact:
    """A fact put together from any words; the seed decides all but the entity and the value."""
    return replace(
        open_fact(about.name, phrase(library.words, draw), library.words, random.Random(seed)),
        again=lambda other: opened(other, seed, draw, library),
    )


def natural(about: Entity, given: Sentence, draw: random.Random, library: Library) -> Fact:
    """A sentence of the books as a fact; as often as not with its own value."""
    value = given.value if draw.random() < 0.4 else phrase(library.words, draw)
    return replace(natural_fact(about, given, value, library.words, draw), again=lambda other: natural(other, given, draw, library))


def _value(kind: str, draw: random.Random, mined: list[str]) -> str:
    return draw.choice(mined) if kind == "thing" and mined and draw.random() < 0.4 else values.KINDS[kind](draw)


def deed(about: Entity, draw: random.Random, deeds: list[str]) -> Fact:
    """What somebody did, in the words of a book, so that no wording is too odd to be taken over."""
    did = draw.choice(deeds)
    said = fill("{e} {did}.", e=about.name, did=did)
    asked = draw.choice((f"Who {did}?", f"Who was it that {did}?"))
    return Fact(about.name, said, said, (Question(asked, said, about.name),), (did,), "event", did)


def related(about: Entity, relation: Relation, draw: random.Random, mined: list[str]) -> Fact:
    """A fact of a relation with its own wordings."""
    words = {"e": about.name, "v": _value(relation.values, draw, mined)}
    question = Question(fill(draw.choice(relation.asked), **words), fill(draw.choice(relation.replies), **words), words["v"])
    lore, told = fill(draw.choice(relation.lore), **words), fill(draw.choice(relation.told), **words)
    return Fact(
        about.name, lore, told, (question,), (words["v"],), relation.asked[0], lore, lambda other: related(other, relation, draw, mined)
    )


def attribute(about: Entity, chosen: tuple[str, str], draw: random.Random, mined: list[str]) -> Fact:
    """A fact of an attribute (its name, the kind of its value) with the general wordings."""
    name_, kind = chosen
    many = name_ in PLURAL
    verbs = {"is": "are" if many else "is", "was": "were" if many else "was", "has": "have" if many else "has"}
    words = {"e": about.name, "a": name_, "v": _value(kind, draw, mined), **verbs}
    asked = draw.choice(ASKED_BY_KIND[kind] if kind in ASKED_BY_KIND and draw.random() < 0.5 else ASKED)
    question = Question(fill(asked, **words), fill(draw.choice(REPLIES), **words), words["v"])
    lore, told = fill(draw.choice(LORE), **words), fill(draw.choice(TOLD), **words)
    return Fact(about.name, lore, told, (question,), (words["v"],), name_, words["v"], lambda other: attribute(other, chosen, draw, mined))
