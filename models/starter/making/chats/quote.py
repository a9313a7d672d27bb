"""Questions about real sentences of the books: the sentence that shares its words with the question is the answer."""

from __future__ import annotations

import random
import re

from making import names
from making.chats.chat import Chat, cap, turns
from making.chats.passages import DEED, Library
from making.chats.systems import FOLDERS, Note, with_lore
from making.corpus import paragraphs, sentences

_PLAIN = re.compile(r"^[A-Z][^“”‘*_—]{25,170}\.$")
_SPAN = re.compile(
    r"\b(?:an?|the|his|her|their|its|my|our) (?:[a-z]+ )?[a-z]{3,}(?=[ ,.;])|\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b|\b[a-z]+ly\b|\b[a-z]{6,}\b"
)
_LITTLE = re.compile(r"^.{1,3}$")
_ABOUT = (
    "What do the notes say of {k}?", "{k}?", "Where is it said that {k}?", "Find the sentence about {k}.", "What is written of {k}?", "Quote the line: {k}.",
    "Which line has to do with {k}?", "Look up: {k}.", "Repeat what is told of {k}.", "{k} – what about it?", "Is there anything on {k}?",
)  # fmt: skip
_BEGUN = ("Complete: {b} …", "{b} … How does it go on?", "How does this end: {b} …", "Finish the sentence. {b} …", "{b} … what?")


def quote(library: Library, draw: random.Random) -> Chat:
    """One to four questions, each answered by a sentence of the notes."""
    notes, every = _notes(library, draw)
    turned: list[str] = []
    values: list[str] = []
    for said in draw.sample(every, min(len(every), draw.choice((1, 2, 3, 4)))):
        asked, value = _asked(said, library, draw)
        turned += [asked, f"{cap(value)}. {said}" if value else said]
        values.append(value or said.split()[-1].rstrip("."))
    draw.shuffle(notes)
    return Chat("quote", turns(with_lore(notes, draw), *turned), "\n".join(f"{note.title}\n{note.text}" for note in notes), tuple(values))


def _notes(library: Library, draw: random.Random) -> tuple[list[Note], list[str]]:
    """Sentences of a few passages as notes, and those that can be asked about."""
    notes: list[Note] = []
    every: list[str] = []
    wanted = draw.choice((1, 2, 3, 4, 6))
    for _ in range(60):
        (text,), mapping = library.renamed([library.draw(draw, 20, 150)], draw, share=0.9)
        plain = [said for block in paragraphs(text) for said in sentences(block) if _PLAIN.match(said)]
        if not plain:
            continue
        kept = plain[: draw.choice((1, 2, 3, 4))]
        every += kept
        whole = draw.random() < 0.2 and len(text.split()) < 120
        title = next((other for other in mapping.values() if other in " ".join(kept)), names.word_name(draw))
        body = text if whole else draw.choice(("\n- ", " ", " ", "\n")).join(kept)
        notes.append(Note(f"{draw.choice(FOLDERS)}/{title.lower()}.md", title, body if whole or "\n- " not in body else f"- {body}"))
        if len(notes) >= wanted:
            break
    return notes, every


def _asked(said: str, library: Library, draw: random.Random) -> tuple[str, str]:
    """(question, value, empty if the whole sentence is asked for): the sentence with a gap, its beginning, some of its words, or a question made of it."""
    bare, pick = said.removesuffix("."), draw.random()
    if (did := DEED.match(said)) and pick < 0.5:
        return _deed(did[1], did[2], library, draw)
    if pick < 0.55 and (spans := [found for found in _SPAN.finditer(bare) if found.start()]):
        gap = draw.choice(spans)
        mark = draw.choice(("what", "what", "whom or what", "…", "___", "which thing"))
        before, after = bare[: gap.start()], bare[gap.end() :]
        if draw.random() < 0.4:  # only what stands near the gap
            before, after = " ".join(before.split(" ")[-draw.randint(3, 8) :]), " ".join(after.split(" ")[: draw.randint(2, 6)])
        return cap(f"{before}{mark}{after}?"), gap.group(0)
    words = bare.split()
    if pick < 0.68:
        return draw.choice(_BEGUN).replace("{b}", " ".join(words[: max(3, len(words) // draw.choice((2, 3)))])), ""
    long = [at for at, word in enumerate(words) if not _LITTLE.match(word)]
    if pick < 0.85 or not long:
        at = draw.randrange(max(1, len(words) - 4))
        key = " ".join(words[at : at + draw.randint(3, 6)]).rstrip(",;:")
        return cap(draw.choice(_ABOUT).replace("{k}", key)), ""
    chosen = draw.sample(long, min(len(long), draw.choice((2, 2, 3, 4))))
    key = draw.choice((", ", " and ", " + ")).join(words[at].rstrip(",;:") for at in (sorted(chosen) if draw.random() < 0.6 else chosen))
    return cap(draw.choice(_ABOUT).replace("{k}", key)), ""


def _deed(who: str, did: str, library: Library, draw: random.Random) -> tuple[str, str]:
    """Who did it, or what somebody did."""
    first, *rest = did.split()
    base = library.words.base.get(first)
    if base and len(rest) > 2 and draw.random() < 0.7:
        cut = draw.randint(1, len(rest) - 1)
        tail = " ".join(rest[cut:]) if draw.random() < 0.6 else ""
        word = draw.choice(("What", "What", "Where", "How", "Why", "Whom"))
        return f"{word} did {who} {base} {tail if draw.random() < 0.5 else ' '.join(rest[:cut])}".rstrip(" ,;") + "?", " ".join(rest)
    part = " ".join(did.split()[: draw.randint(3, 12)]).rstrip(",;")
    return draw.choice((f"Who {part}?", f"Who was it that {part}?", f"Which of them {part}?", f"By whom was it that {part}?")), who


# ruff: noqa: E501 - lists of wordings read best so
