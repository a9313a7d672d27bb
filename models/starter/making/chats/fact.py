"""Entities and facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entity:
    """kind: person, place or thing."""

    name: str
    kind: str


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the value that the answer must contain."""

    asked: str
    reply: str
    value: str


@dataclass(frozen=True)
class Fact:
    """One fact: as lore has it, as a story tells it, as questions.

    terms: the values that a story takes from it. label, short: attribute and value, as in a list. again: the same kind of fact about
    another entity, with another value.
    """

    about: str
    lore: str
    told: str
    questions: tuple[Question, ...]
    terms: tuple[str, ...]
    label: str
    short: str
    again: Callable[[Entity], Fact] | None = field(default=None, compare=False)
