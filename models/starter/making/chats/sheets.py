"""Lore sheets: invented entities with facts, written down in one of several forms, among distractors."""

from __future__ import annotations

import random
from dataclasses import dataclass

from making.chats import facts as drawing
from making.chats.chat import cap
from making.chats.fact import Entity, Fact
from making.chats.passages import Library
from making.chats.systems import FOLDERS, Note


@dataclass(frozen=True)
class Sheet:
    """Who or what is concerned, its facts, and the notes that tell them (and others)."""

    focus: tuple[Entity, ...]
    facts: tuple[tuple[Fact, ...], ...]
    notes: tuple[Note, ...]


def sheet(library: Library, draw: random.Random, *, kinds: tuple[str, ...], each: tuple[int, int]) -> Sheet:
    """A sheet about one entity of each kind with `each` (least, most) facts, and up to ten distractors: sheets or passages of a book."""
    focus = tuple(drawing.entity(draw, kind, library.pool, library.words) for kind in kinds)
    told = tuple(tuple(drawing.facts(one, draw.randint(*each), draw, library)) for one in focus)
    notes = [note(one, about, draw) for one, about in zip(focus, told, strict=True)]
    for _ in range(draw.choice((0, 1, 1, 2, 2, 3)) + (draw.random() < 0.12) * draw.randint(2, 6)):
        if draw.random() < 0.3:
            notes.append(library.distractor(draw))
        else:
            notes.append(_beside(focus, told, library, draw))
    draw.shuffle(notes)
    return Sheet(focus, told, tuple(notes))


def _beside(focus: tuple[Entity, ...], told: tuple[tuple[Fact, ...], ...], library: Library, draw: random.Random) -> Note:
    """A note about something else; as often as not it says the same of it as a fact of the sheet does, with another value."""
    at = draw.randrange(len(focus))
    alike = [fact.again for fact in told[at] if fact.again] if draw.random() < 0.6 else []
    other = drawing.entity(draw, focus[at].kind if alike else draw.choice(("person", "place", "thing")), library.pool, library.words)
    same = [again(other) for again in draw.sample(alike, min(len(alike), draw.choice((1, 1, 2))))]
    every = [*same, *drawing.facts(other, draw.randint(0 if same else 1, 3), draw, library)]
    return note(other, tuple(draw.sample(every, len(every))), draw)


def note(about: Entity, told: tuple[Fact, ...], draw: random.Random) -> Note:
    """The facts about one entity as a paragraph, a list, a card or a line."""
    name = cap(about.name)
    pick = draw.random()
    if pick < 0.15:
        text = " ".join([told[0].lore, *(_called(fact.lore, about, draw) for fact in told[1:])])
    elif pick < 0.5:
        text = " ".join(fact.lore for fact in told)
    elif pick < 0.7:
        text = "\n".join(f"- {fact.lore}" for fact in told)
    elif pick < 0.9 and all(fact.label[:1].islower() and fact.label != "event" for fact in told):
        mark = draw.choice(("- {l}: {v}", "{l}: {v}", "- **{l}:** {v}", "* {l} – {v}", "{l} = {v}"))
        text = "\n".join([name, *(mark.replace("{l}", cap(fact.label)).replace("{v}", fact.short) for fact in told)])
    else:
        text = "\n\n".join(fact.lore for fact in told)
    slug = about.name.lower().replace("’", "").replace(".", "").replace(" ", "_")
    heading = draw.choice((name, name, f"{name} > Notes", f"Notes on {about.name}", f"The world > {name}", f"{name} > At a glance"))
    return Note(f"{draw.choice(FOLDERS)}/{slug}{draw.choice(('.md', '.md', '.txt', ''))}", heading, text)


def _called(lore: str, about: Entity, draw: random.Random) -> str:
    """The sentence with a pronoun for its subject, if that comes first."""
    pronoun = draw.choice(("He", "She")) if about.kind == "person" else "It"
    return pronoun + lore[len(about.name) :] if lore.startswith(cap(about.name) + " ") else lore
