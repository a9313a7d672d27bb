"""Which chats there are, and how many of each."""

# ruff: noqa: S311 - seeded on purpose
from __future__ import annotations

import random
from collections.abc import Callable

from making.chats.chat import Chat
from making.chats.passages import Library
from making.chats.questions import description, question, unknown
from making.chats.quote import quote
from making.chats.recall import recall
from making.chats.scenes import continuation, scene
from making.chats.woven import real, told, woven

LESSONS: dict[str, tuple[Callable[[Library, random.Random], Chat], float]] = {
    "scene": (scene, 0.08), "continue": (continuation, 0.04), "question": (question, 0.32), "describe": (description, 0.05),
    "unknown": (unknown, 0.02), "woven": (woven, 0.08), "real": (real, 0.04), "recall": (recall, 0.04),
    "quote": (quote, 0.13), "told": (told, 0.20),
}  # fmt: skip


def chat(library: Library, seed: int, number: int) -> Chat:
    """The chat of this number: always the same for the same books and seed."""
    draw = random.Random(f"{seed} {number}")
    lesson = draw.choices(list(LESSONS), [share for _, share in LESSONS.values()])[0]
    return LESSONS[lesson][0](library, draw)
