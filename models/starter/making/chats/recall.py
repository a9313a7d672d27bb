"""Questions about real passages: who did what a sentence says, and what is said about someone."""

from __future__ import annotations

import random

from making.chats.chat import Chat, one, turns
from making.chats.passages import DEED, Library, note_of
from making.chats.questions import question
from making.chats.systems import with_lore
from making.corpus import paragraphs, sentences


def recall(library: Library, draw: random.Random) -> Chat:
    """Who did it? The sentence of the passage is the answer."""
    for _ in range(40):
        passage = library.draw(draw, 30, 150)
        (text,), mapping = library.renamed([passage], draw, share=0.9)
        people = set(mapping.values())
        found = [match for block in paragraphs(text) for part in sentences(block) if (match := DEED.match(part)) and match[1] in people]
        if found:
            break
    else:
        return question(library, draw)
    notes = [note_of(passage, text, draw), *(library.distractor(draw) for _ in range(draw.choice((0, 1, 2))))]
    draw.shuffle(notes)
    asked: list[str] = []
    for match in draw.sample(found, min(2, len(found))):
        who, did = match[1], match[2]
        first = " ".join(did.split()[:4])
        asked += [
            one(draw, f"Who {did}?", f"Who was it that {did}?", f"Who {first}?", f"Which of them {did}?"),
            f"{who}. {who} {did}.",
        ]
    values = tuple(match[1] for match in found if any(match[1] in reply for reply in asked[1::2]))
    return Chat("recall", turns(with_lore(notes, draw), *asked), "\n".join(note.text for note in notes), values[:1])
