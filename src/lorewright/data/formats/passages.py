"""The `passages` format: an instruction drawn from the passage, the passage itself as the answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"(?<=[a-z,;] )((?:(?:Mr|Mrs|Ms|Dr)\. )?(?!Mrs\b)[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*)\b")
# Somebody speaks, owns or does something; a place, a day or a thing seldom does.
_ACTS = (
    r"(?:’s|'s|,?(?: and [A-Z][a-z]+)? (?:said|was|had|did|would|could|came|went|took|saw|knew|gave|told|stood|sat|ran|put|got|made"
    r"|thought|felt|held|left|found|kept|shook|\w{2,}ed)\b)"
)
_SAYS = r"\b(?:said|asked|cried|answered|replied|called|told) "
_PLACED = r"\b(?:[Tt]he|an?|in|at|near|into|across) "
_OPENINGS = (
    "Write a scene{title}{people}, about {words} words.",
    "Write the next scene{title}{people}, about {words} words.",
    "Tell a part of the story{title}{people}, about {words} words.",
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
    names = people_in(passage.text)
    people = f" with {_listed(sorted(names))}" if names else ""
    title = f" from “{passage.title}”" if passage.title else ""
    words = max(10, round(len(passage.text.split()), -1))
    pick = int.from_bytes(hashlib.sha256(f"{seed} {passage.document} {passage.number}".encode()).digest()[:4], "big")
    return _OPENINGS[pick % len(_OPENINGS)].format(title=title, people=people, words=words)


def people_in(text: str) -> list[str]:
    """Up to three names that stand in the text more than once and act in it, the commonest first; rather none than a thing."""
    found = Counter({name: len(re.findall(rf"\b{name}\b", text)) for name in set(_NAME.findall(text))})
    likely = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:8]
    people = [name for name, times in likely if times > 1 and _is_somebody(name, text)]
    return [name for name in people if not any(longer.endswith(f" {name}") for longer in people)][:3]


def _is_somebody(name: str, text: str) -> bool:
    if re.search(rf"\b{name.lower()}\b|{_PLACED}{name}\b|\b{name} [A-Z][a-z]", text):  # a word, a place, the first part of a name
        return False
    return bool(re.search(rf"\b{name}{_ACTS}|{_SAYS}{name}\b", text))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def jsonl(examples: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in examples)
