"""The `passages` format: an instruction drawn from the passage, the passage itself as the answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"(?<=[a-z,;] )([A-Z][a-z]{2,})\b")
_NOT_NAMES = {"The", "And", "But", "Then", "She", "They", "His", "Her", "You", "What", "When", "There", "That", "This"}
_OPENINGS = (
    "Write a scene{title}{people}, about {words} words.",
    "Continue in your own voice{title}: a scene{people} of about {words} words.",
    "Tell what happens{title}{people}. About {words} words.",
)


@dataclass(frozen=True)
class Passage:
    """A cut of a document: which one, the how-manieth, its text."""

    document: str
    title: str
    number: int
    text: str


def example(passage: Passage, system: str, seed: int) -> dict[str, Any]:
    """One `messages` example (system, user, assistant) and where it came from."""
    turns = [("system", system), ("user", instruction(passage, seed)), ("assistant", passage.text)]
    return {"messages": [{"role": role, "content": text} for role, text in turns], "document": passage.document, "passage": passage.number}


def instruction(passage: Passage, seed: int) -> str:
    """What somebody might have asked to get this passage; the same for the same seed."""
    names = [name for name, times in Counter(_NAME.findall(passage.text)).most_common(6) if times > 1 and name not in _NOT_NAMES][:3]
    people = f" with {_listed(sorted(names))}" if names else ""
    title = f" from “{passage.title}”" if passage.title else ""
    words = max(10, round(len(passage.text.split()), -1))
    pick = int.from_bytes(hashlib.sha256(f"{seed} {passage.document} {passage.number}".encode()).digest()[:4], "big")
    return _OPENINGS[pick % len(_OPENINGS)].format(title=title, people=people, words=words)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def jsonl(examples: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in examples)
