"""Passages of a world that does not exist, as many as wanted: what a question must not be misled by, or what fills an index."""

from __future__ import annotations

import random

from lorewright.rag.chunk import Passage

SYLLABLES = [
    "ar",
    "bel",
    "cor",
    "dun",
    "el",
    "fa",
    "gor",
    "hal",
    "is",
    "jen",
    "kar",
    "lo",
    "mir",
    "nor",
    "os",
    "pel",
    "qua",
    "ren",
    "sol",
    "tam",
    "ur",
    "vel",
    "wen",
    "xan",
    "yor",
    "zel",
]
TRADES = [
    "smith",
    "weaver",
    "pilot",
    "cook",
    "sailor",
    "clerk",
    "healer",
    "miller",
    "judge",
    "hunter",
    "tailor",
    "glazier",
    "carter",
    "scribe",
    "potter",
]
THINGS = [
    "lamp",
    "bell",
    "rope",
    "wheel",
    "mask",
    "ladder",
    "map",
    "coat",
    "key",
    "drum",
    "boat",
    "mirror",
    "knife",
    "lantern",
    "saddle",
    "compass",
    "basket",
    "ledger",
]
STUFFS = [
    "copper",
    "oak",
    "glass",
    "wool",
    "bone",
    "silver",
    "clay",
    "leather",
    "paper",
    "iron",
    "amber",
    "slate",
    "ivory",
    "brass",
    "linen",
]
PLACES = [
    "harbour",
    "mill",
    "tower",
    "market",
    "bridge",
    "garden",
    "cellar",
    "quarry",
    "chapel",
    "gate",
    "kitchen",
    "island",
    "forge",
    "orchard",
    "archive",
]
SENTENCES = (
    "{name} the {trade} lives near the {place} of {town}.", "In {town} every {thing} is made of {stuff}.",
    "The {place} of {town} was closed in the year {year}.", "{name} owes {number} marks to {other}.",
    "Since the flood {name} has never touched a {thing}.", "A {thing} of {stuff} hangs above the door of the {place}.",
    "{name} and {other} have not spoken since the year {year}.", "The {trade} of {town} is paid {number} marks a month.",
    "Nobody in {town} may carry a {thing} after dark.", "{name} lost the left eye at the {place} in the year {year}.",
    "It takes {number} days to walk from {town} to {far}.", "{other} taught {name} how to mend a {thing}.",
    "The {stuff} of {far} is said to ring when it rains.", "{name} keeps a {thing} of {stuff} that belonged to {other}.",
    "Every {number} years the people of {town} carry {stuff} to the {place}.", "{name} is afraid of the {place} and of {other}.",
)  # fmt: skip


def made_lore(count: int, seed: int = 7, sentences: int = 5) -> list[Passage]:
    """`count` passages of `sentences` sentences each, twenty to a file."""
    draw = random.Random(seed)
    return [_passage(draw, number, sentences) for number in range(count)]


def _passage(draw: random.Random, number: int, sentences: int) -> Passage:
    name, other, town, far = (_name(draw) for _ in range(4))
    lines = [
        pattern.format(
            name=name, other=other, town=town, far=far, trade=draw.choice(TRADES), thing=draw.choice(THINGS), stuff=draw.choice(STUFFS),
            place=draw.choice(PLACES), year=draw.randrange(200, 900), number=draw.randrange(2, 400),
        ) for pattern in draw.sample(SENTENCES, min(sentences, len(SENTENCES)))
    ]  # fmt: skip
    roll, heading = f"Roll {number // 20}", f"{name} of {town}"
    return Passage(f"{roll} > {heading}\n\n{' '.join(lines)}", f"made/{number // 20:05d}.md", "made", roll, heading, (), number % 20)


def _name(draw: random.Random) -> str:
    return "".join(draw.choice(SYLLABLES) for _ in range(draw.randrange(2, 4))).capitalize()
