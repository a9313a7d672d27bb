"""The `completion` format: the beginning of a passage is given, its continuation is the answer."""

from __future__ import annotations

import hashlib
from typing import Any

from lorewright.data.clean import SCENE_BREAK
from lorewright.data.formats.messages import messages
from lorewright.data.formats.passages import Passage
from lorewright.data.split import sentences

LEAST, MOST = 0.2, 0.5  # the share of a passage that is given


def example(passage: Passage, system: str, seed: int) -> dict[str, Any]:
    """One `messages` example: system, the passage's beginning as the user, the rest as the assistant."""
    given, rest = cut(passage, seed)
    return {"messages": messages(system, given, rest), "document": passage.document, "passage": passage.number}


def cut(passage: Passage, seed: int) -> tuple[str, str]:
    """The passage in two, at the sentence end nearest to a share drawn from the seed; both parts hold something.

    A passage of one sentence is cut between two words.
    """
    text = passage.text
    draw = hashlib.sha256(f"{seed} {passage.document} {passage.number} cut".encode()).digest()[0] / 255
    wanted = round(len(text) * (LEAST + (MOST - LEAST) * draw))
    at = min(_ends(text) or _spaces(text) or [len(text) // 2], key=lambda place: abs(place - wanted))
    return text[:at].rstrip(), text[at:].strip()


def _ends(text: str) -> list[int]:
    """Where a sentence ends and prose comes after it; a scene break is no sentence."""
    places: list[int] = []
    at = 0
    for sentence in (one for block in text.split("\n\n") for one in sentences(block)):
        start = text.find(sentence, at)
        if places and sentence.strip() == SCENE_BREAK:
            places.pop()  # neither part shall end or begin with the break
        if start < 0:
            continue
        at = start + len(sentence)
        if sentence.strip() != SCENE_BREAK:
            places.append(at)
    return [place for place in places if text[place:].strip()]


def _spaces(text: str) -> list[int]:
    return [at for at, sign in enumerate(text) if sign.isspace() and text[:at].strip() and text[at:].strip()]
