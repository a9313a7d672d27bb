"""What a chat is, and small things about wording that every kind of chat needs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Chat:
    """kind: which lesson it is. turns: (role, text). lore: the given lore. values: what the answers take from it, one a value."""

    kind: str
    turns: tuple[tuple[str, str], ...]
    lore: str = ""
    values: tuple[str, ...] = field(default=())


def cap(text: str) -> str:
    """The text with a capital first letter."""
    at = 1 if text[:1] in "“‘" else 0
    return text[:at] + text[at : at + 1].upper() + text[at + 1 :]


def fill(template: str, **words: str) -> str:
    """The template with its {words}; a sentence that begins with one gets its capital."""
    text = template
    for name, word in words.items():
        text = text.replace("{" + name + "}", word)
    return cap(text)


def listed(words: list[str], last: str = "and") -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def turns(system: str, *rest: str) -> tuple[tuple[str, str], ...]:
    """System (left out if empty), then user and assistant in turn."""
    first = (("system", system),) if system else ()
    return (*first, *((("user", "assistant")[number % 2], text) for number, text in enumerate(rest)))


def one(draw: random.Random, *texts: str) -> str:
    return draw.choice(texts)
