"""Facts that happened: somebody did something to something, somewhere, at some time."""

from __future__ import annotations

import random

from making import names
from making.chats import values
from making.chats.chat import fill
from making.chats.fact import Entity, Fact, Question

VERBS = (
    "bury buried,steal stole,build built,find found,sell sold,break broke,burn burnt,hide hid,buy bought,paint painted,repair repaired,"
    "drop dropped,carry carried,catch caught,throw threw,lose lost,borrow borrowed,discover discovered,melt melted,draw drew,forge forged,"
    "weigh weighed,guard guarded,return returned,receive received,win won,inherit inherited,polish polished,examine examined,copy copied,"
    "open opened,close closed,lift lifted,leave left,bring brought,wrap wrapped,collect collected,destroy destroyed,unearth "
    "unearthed,hang hung"
)
_PAIRS = tuple(tuple(pair.split()) for pair in VERBS.split(","))
LORE = (
    "In {t} {e} {did} {o} in {p}.", "{e} {did} {o} in {p} in {t}.", "It was {e} who {did} {o} in {p}, in {t}.",
    "In {p}, in {t}, {e} {did} {o}.",
)  # fmt: skip
TOLD = (
    "In {t} {e} {did} {o}, and nobody in {p} ever forgot it.", "It was in {p} that {e} {did} {o}, in {t}.",
    "“In {t},” said {e}, “I {did} {o} in {p}.”", "Everyone in {p} remembered {t}, when {e} {did} {o}.",
    "So it was that {e} {did} {o} in {p}.",
)  # fmt: skip


def event(entity: Entity, draw: random.Random, mined: list[str]) -> Fact:
    """Something a person did. Every part of it can be asked for."""
    do, did = draw.choice(_PAIRS)
    object_ = draw.choice(mined) if mined and draw.random() < 0.5 else values.thing(draw)
    words = {"e": entity.name, "do": do, "did": did, "o": object_, "p": names.place_name(draw), "t": values.year(draw)}
    questions = (
        _asked(draw, ("Who {did} {o}?", "Who was it that {did} {o} in {p}?"), "e", words),
        _asked(draw, ("What did {e} {do} in {p}?", "What did {e} {do} in {t}?", "What did {e} {do}?"), "o", words),
        _asked(draw, ("Where did {e} {do} {o}?", "In what place did {e} {do} {o}?"), "p", words),
        _asked(draw, ("When did {e} {do} {o}?", "In what year did {e} {do} {o}?"), "t", words),
    )
    told = draw.choice(TOLD)
    terms = tuple(words[key] for key in "opt" if "{" + key + "}" in told)
    return Fact(
        entity.name, fill(draw.choice(LORE), **words), fill(told, **words), questions, terms, "event", f"{did} {object_} in {words['p']}"
    )


def _asked(draw: random.Random, asked: tuple[str, ...], value: str, words: dict[str, str]) -> Question:
    reply = {"e": "{e} {did} {o}.", "o": "{e} {did} {o}.", "p": "{e} {did} {o} in {p}.", "t": "{e} {did} {o} in {t}."}[value]
    return Question(fill(draw.choice(asked), **words), fill(reply, **words), words[value])
