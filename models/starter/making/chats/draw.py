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
    "scene": (scene, 0.07), "continue": (continuation, 0.03), "question": (question, 0.38), "describe": (description, 0.05),
    "unknown": (unknown, 0.02), "woven": (woven, 0.06), "real": (real, 0.03), "recall": (recall, 0.03),
    "quote": (quote, 0.11), "told": (told, 0.22),
}  # fmt: skip


def chat(library: Library, seed: int, number: int) -> Chat:
    """The chat of this number: always the same for the same books and seed."""
    draw = random.Random(f"{seed} {number}")
    lesson = draw.choices(list(LESSONS), [share for _, share in LESSONS.values()])[0]
    return LESSONS[lesson][0](library, draw)
