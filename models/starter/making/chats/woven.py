"""Scenes that use lore: facts of a sheet told in the middle of a passage, and passages that rest on others of the same book."""

from __future__ import annotations

import random

from making import names
from making.chats.chat import Chat, cap, listed, one, turns
from making.chats.fact import Fact
from making.chats.openfacts import story
from making.chats.passages import Library, note_of
from making.chats.sheets import Sheet, sheet
from making.chats.systems import with_lore
from making.chats.wishes import wish
from making.corpus import paragraphs, sentences


def woven(library: Library, draw: random.Random) -> Chat:
    """A passage whose people bear the sheet's names and in which two to four of its facts are told."""
    kinds = tuple(draw.choice(("person", "person", "place", "thing")) for _ in range(draw.choice((1, 1, 2, 2, 3))))
    given = sheet(library, draw, kinds=kinds, each=(2, 4))
    every = [fact for told in given.facts for fact in told]
    chosen = draw.sample(every, min(len(every), draw.choice((2, 2, 3, 3, 4))))
    text = told_in(library, given, chosen, draw)
    about = list(dict.fromkeys(fact.about for fact in chosen))
    asked = request(about, len(text.split()), draw) if draw.random() < 0.6 else wish(about[0], len(text.split()), library.words, draw)
    lore = "\n".join(f"{note.title}\n{note.text}" for note in given.notes)
    return Chat(
        "woven", turns(with_lore(list(given.notes), draw), asked, text), lore, tuple(term for fact in chosen for term in fact.terms[:1])
    )


def told(library: Library, draw: random.Random) -> Chat:
    """A short scene that opens with what the lore says of the one it is about, in the lore's own words."""
    kinds = tuple(draw.choice(("person", "place", "thing")) for _ in range(draw.choice((1, 1, 1, 1, 2))))
    given = sheet(library, draw, kinds=kinds, each=(1, 4))
    chosen = [fact for every in given.facts for fact in draw.sample(every, min(len(every), draw.choice((1, 2, 2, 3))))]
    opening = [fact.told if draw.random() < 0.15 else story(fact.lore, draw) if draw.random() < 0.6 else fact.lore for fact in chosen]
    passage = library.draw(draw, 20, 60)
    busiest = sorted(passage.people, key=lambda name: -passage.text.count(name))
    people = [whom.name for whom in given.focus]
    text = names.exchange(passage.text, names.new_names(busiest, draw, library.pool) | dict(zip(busiest, people, strict=False)))
    late = [opening.pop()] if len(opening) > 1 and draw.random() < 0.3 else []
    first = " ".join(opening) + draw.choice((" ", " ", "\n\n"))
    whole = cap(first + text + (draw.choice((" ", "\n\n")) + late[0] if late else ""))
    asked = wish(listed(people), len(whole.split()), library.words, draw)
    terms = tuple(fact.terms[0] for fact in chosen if fact.terms[0].lower() in whole.lower())
    lore = "\n".join(f"{note.title}\n{note.text}" for note in given.notes)
    values = terms if any(term.lower() not in asked.lower() for term in terms) else ()
    return Chat("told", turns(with_lore(list(given.notes), draw), asked, whole), lore, values)


def told_in(library: Library, given: Sheet, chosen: list[Fact], draw: random.Random) -> str:
    """A short passage, its people renamed to the sheet's, with the facts between its sentences, as a story or as the lore says them."""
    passage = library.draw(draw, 25, 120)
    people = [whom.name for whom in given.focus if whom.kind == "person"]
    busiest = sorted(passage.people, key=lambda name: -passage.text.count(name))
    mapping = names.new_names(busiest, draw, library.pool) | dict(zip(busiest, people, strict=False))
    blocks = [sentences(block) for block in paragraphs(names.exchange(passage.text, mapping))]
    places = [
        (row, at)
        for row, block in enumerate(blocks)
        for at in range(len(block) + 1)
        if at == len(block) or not block[at].startswith(("”", "’"))
    ]
    early = [place for place in places if place in {(0, 0), (0, 1)}]
    spots = [draw.choice(early), *(draw.choice(places) for _ in chosen[1:])]
    for (row, at), fact in sorted(zip(spots, chosen, strict=True), key=lambda pair: pair[0], reverse=True):
        blocks[row].insert(at, fact.told if draw.random() < 0.6 else fact.lore)
    return cap("\n\n".join(" ".join(block) for block in blocks))


def request(about: list[str], words: int, draw: random.Random) -> str:
    """What the user writes: names what the scene is about, never a value."""
    who = listed(about[: draw.choice((1, 2, 3))])
    size = f", about {max(10, round(words, -1))} words" if draw.random() < 0.4 else ""
    return one(
        draw, f"Write a scene with {who}{size}.", f"Write a short scene about {who}.", f"Tell what happens with {who}{size}.",
        f"Write about {who}{size}.",
        f"A scene with {who}, please{size}.", f"Let {who} appear in a scene{size}.", f"Continue the story with {who}.",
        f"Show me {who} in a scene{size}.",
        f"Write the next passage. {cap(who)} must be in it.", f"Write a scene with {who}. Use what is known.", f"Put {who} on the page.",
    )  # fmt: skip


def real(library: Library, draw: random.Random) -> Chat:
    """A passage of a book, with others of the same book as lore from which its names (exchanged) can be taken."""
    for _ in range(30):
        passage = library.draw(draw, 40, 170)
        beside = [other for other in library.near(passage, 12) if len(set(other.people) & set(passage.people)) >= 2]
        if beside:
            break
    else:
        return woven(library, draw)
    lore = draw.sample(beside, min(len(beside), draw.choice((1, 2, 3))))
    (text, *others), mapping = library.renamed([passage, *lore], draw, share=0.9)
    shared = [mapping[name] for name in passage.people if any(name in other.people for other in lore)]
    notes = [note_of(other, told, draw) for other, told in zip(lore, others, strict=True)]
    if draw.random() < 0.4:
        notes.append(library.distractor(draw))
    draw.shuffle(notes)
    asked = request(shared[:1], len(text.split()), draw)
    return Chat("real", turns(with_lore(notes, draw), asked, text), "\n".join(note.text for note in notes), (shared[1],))
