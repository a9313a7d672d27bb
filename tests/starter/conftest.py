"""A small library of sentences of our own, in the shape of the corpus, and the starter's modules on the path."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
for folder in ("models/starter", "benchmarks"):
    if str(REPO / folder) not in sys.path:
        sys.path.append(str(REPO / folder))

PEOPLE = ("Marta", "Olin", "Brisk", "Yarrow", "Tessaly", "Quill", "Hobb", "Dunmore")
DID = (
    "carried the lamp across the yard and set it down beside the pump", "opened a heavy door and listened to the rain on the other side",
    "counted the barrels twice and wrote the number on the wall", "laughed at the captain until the captain laughed too",
    "put a small kettle on the stove and said nothing for a long while", "took the letter out of a leather bag, folded it and put it back",
    "walked down to the harbour, where the boats lay in a row", "told the story of the broken wheel to whoever would listen",
)  # fmt: skip
SAID = (
    "“You were late,” said {b}, “and the tide was not.”", "“Give me a brass key, and I will show you,” answered {b}.",
    "The evening was quiet, and the street smelt of tar and bread.", "Nobody looked at {b}, who had a bitter smile, a red scarf and no money.",
)  # fmt: skip


def book(seed: int, paragraphs: int = 90) -> str:
    draw = random.Random(seed)
    people = draw.sample(PEOPLE, 4)
    blocks = ["I"]
    for number in range(paragraphs):
        parts = [f"{draw.choice(people)} {draw.choice(DID)}." for _ in range(draw.randint(1, 4))]
        parts.append(draw.choice(SAID).format(b=draw.choice(people)))
        parts.append(f"Then came {draw.choice(people)}, and {draw.choice(people)} went away.")
        blocks += [" ".join(parts), *(["* * *"] if number % 20 == 19 else [])]
    return "\n\n".join(blocks) + "\n"


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three books to learn from and the two held-out names, all ours."""
    folder = tmp_path_factory.mktemp("books")
    for seed, name in enumerate(("one_book", "two_book", "three_book", "philip-k-dick_short-fiction", "h-g-wells_the-time-machine")):
        (folder / f"{name}.txt").write_text(book(seed, 90 if seed < 3 else 12), encoding="utf-8")
    return folder
