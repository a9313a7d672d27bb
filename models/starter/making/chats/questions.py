"""Questions about given lore, several about the same; some about what no lore tells."""

from __future__ import annotations

import random

from making.chats import facts as drawing
from making.chats.chat import Chat, cap, one, turns
from making.chats.fact import Fact
from making.chats.passages import Library
from making.chats.sheets import Sheet, sheet
from making.chats.systems import voice, with_lore

_BEFORE = (
    "According to the notes: ", "Please answer. ", "A question. ", "In this world: ", "Help me remember. ", "I am writing a chapter. ",
    "Tell me, ", "Quickly: ",
)  # fmt: skip
_DESCRIBE = (
    "Tell me about {e}.", "What do you know about {e}?", "Describe {e}.", "What do the notes say about {e}?",
    "Introduce {e} in a few sentences.",
    "Sum up {e}.", "Who or what is {e}?", "What should I know about {e}?",
)  # fmt: skip


def question(library: Library, draw: random.Random) -> Chat:
    """One to four questions about a sheet, with their answers."""
    kinds = tuple(draw.choice(("person", "place", "thing")) for _ in range(draw.choice((1, 1, 2, 2, 3))))
    given = sheet(library, draw, kinds=kinds, each=(3, 6))
    every = [fact for told in given.facts for fact in told]
    asked: list[str] = []
    values: list[str] = []
    askable = [fact for fact in every if fact.questions]
    if not askable:
        return question(library, draw)
    for fact in draw.sample(askable, min(len(askable), draw.choice((1, 2, 3, 4)))):
        ask, reply, value = _turn(fact, given, draw)
        asked += [ask, reply]
        values.append(value)
    return _given("question", given, asked, tuple(values), draw)


def _turn(fact: Fact, given: Sheet, draw: random.Random) -> tuple[str, str, str]:
    """(question, answer, value)"""
    drawn = draw.choice(fact.questions)
    ask = drawn.asked
    if draw.random() < 0.2:
        before = draw.choice(_BEFORE)
        ask = before + (
            ask[0].lower() + ask[1:] if before.endswith((", ", ": ")) and ask.split()[0] in {"What", "Who", "Where", "When", "How"} else ask
        )
    said = fact.lore if drawn.value.lower() in fact.lore.lower() else drawn.reply
    reply = f"{cap(drawn.value)}. {said}"  # the value first: what is asked for decides at once which sentence is meant
    if draw.random() < 0.1:  # a second fact of the same entity: an answer may be more than a line
        others = [other for told in given.facts for other in told if other.about == fact.about and other is not fact]
        reply += f" {draw.choice(others).lore}" if others else ""
    return ask, reply, drawn.value


def description(library: Library, draw: random.Random) -> Chat:
    """Tell me about someone: the answer says again what the lore says, in a story's words or in the lore's."""
    given = sheet(library, draw, kinds=(draw.choice(("person", "place", "thing")),), each=(3, 6))
    told = given.facts[0]
    chosen = draw.sample(told, min(len(told), draw.randint(2, 4)))
    reply = " ".join(fact.lore if draw.random() < 0.8 else fact.told for fact in chosen)
    return _given("describe", given, [draw.choice(_DESCRIBE).replace("{e}", given.focus[0].name), cap(reply)], (chosen[0].terms[0],), draw)


def _given(kind: str, given: Sheet, asked: list[str], values: tuple[str, ...], draw: random.Random) -> Chat:
    """The lore in the system prompt, or now and then in the first message."""
    notes = list(given.notes)
    lore = "\n".join(f"{note.title}\n{note.text}" for note in notes)
    system = with_lore(notes, draw)
    if draw.random() < 0.1:
        return Chat(kind, turns("", f"{system}\n\n{asked[0]}", *asked[1:]), lore, values)
    return Chat(kind, turns(system, *asked), lore, values)


def unknown(library: Library, draw: random.Random) -> Chat:
    """A question about something that nobody has told anything of: the answer says so and invents nothing."""
    about = drawing.entity(draw, draw.choice(("person", "place", "thing")), library.pool, library.words)
    asked = next(fact for fact in drawing.facts(about, 4, draw, library) if fact.questions).questions[0].asked
    if about.name.lower() not in asked.lower():
        asked = f"What do you know about {about.name}?"
    reply = one(
        draw, f"I know nothing about {about.name}.", f"Nothing has been told about {about.name}.",
        f"I cannot say; nobody has told me of {about.name}.",
        f"That is not known. There are no notes on {about.name}.",
    )  # fmt: skip
    return Chat("unknown", turns(voice(draw), asked, cap(reply)))
