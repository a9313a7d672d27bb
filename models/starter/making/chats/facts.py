"""Draws entities and facts about them."""

from __future__ import annotations

import random

from making import names
from making.chats import values
from making.chats.attributes import ASKED, ASKED_BY_KIND, ATTRIBUTES, LORE, PLURAL, REPLIES, TOLD, Relation
from making.chats.chat import fill
from making.chats.events import event
from making.chats.fact import Entity, Fact, Question
from making.chats.openfacts import name, open_fact
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
    """That many facts about one entity, no two of the same attribute."""
    found: dict[str, Fact] = {}
    open_share = draw.choice((0.0, 0.7, 1.0, 1.0))
    while len(found) < count:
        if draw.random() < open_share:
            made = open_fact(about.name, library.words, draw)
            found.setdefault(made.label, made)
            continue
        pick = draw.random()
        if pick < 0.2 and about.kind == "person":
            made = event(about, draw, library.mined)
        elif pick < 0.4 and about.kind == "person" and library.deeds:
            made = deed(about, draw, library.deeds)
        elif pick < 0.6:
            made = related(about, draw.choice([one for one in RELATIONS if one.of == about.kind]), draw, library.mined)
        else:
            made = attribute(about, draw, library.mined)
        found.setdefault(made.label, made)
    return list(found.values())


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
    lore = fill(draw.choice(relation.lore), **words)
    return Fact(about.name, lore, fill(draw.choice(relation.told), **words), (question,), (words["v"],), relation.asked[0], lore)


def attribute(about: Entity, draw: random.Random, mined: list[str]) -> Fact:
    """A fact of an attribute with the general wordings."""
    attribute_, kind = draw.choice(ATTRIBUTES[about.kind])
    many = attribute_ in PLURAL
    verbs = {"is": "are" if many else "is", "was": "were" if many else "was", "has": "have" if many else "has"}
    words = {"e": about.name, "a": attribute_, "v": _value(kind, draw, mined), **verbs}
    asked = draw.choice(ASKED_BY_KIND[kind] if kind in ASKED_BY_KIND and draw.random() < 0.5 else ASKED)
    question = Question(fill(asked, **words), fill(draw.choice(REPLIES), **words), words["v"])
    return Fact(
        about.name, fill(draw.choice(LORE), **words), fill(draw.choice(TOLD), **words), (question,), (words["v"],), attribute_, words["v"]
    )
