"""How a scene is asked for, put together from parts."""

from __future__ import annotations

import random

from making.chats.chat import cap
from making.chats.vocabulary import Vocabulary

_DO = (
    "Write", "Write me", "Give me", "Draft", "Make up", "Invent", "Tell me", "Set down", "I want", "I would like", "Let me have", "Show me", "Please write",
    "Begin", "Sketch", "Try", "Put together", "Could you write", "Improvise", "Think up",
)  # fmt: skip
_ADJECTIVES = ("", "", "", "short", "long", "quiet", "new", "lively", "slow", "small", "first", "brief", "odd", "tense", "funny")
_FORMS = (
    "scene", "scene", "story", "passage", "chapter opening", "page", "few lines", "paragraph", "beginning", "tale", "description", "moment", "sketch",
    "dialogue", "piece of prose", "ending", "opening", "vignette", "fragment", "portrait",
)  # fmt: skip
_LINKS = (
    "about",
    "with",
    "around",
    "on",
    "in which we meet",
    "that has to do with",
    "that shows",
    "that begins with",
    "featuring",
    "concerning",
    "where one sees",
    "for",
)
_BARE = (
    "{w}.", "{w}, please.", "What about {w}?", "Now {w}.", "Bring in {w}.", "Let us have {w}.", "Enter {w}.", "{w} comes next.", "It is time for {w}.",
    "Tell of {w}.", "Go on with {w}.", "{w}: begin.", "Introduce {w} to the reader.", "Let {w} come on stage.", "The reader should get to know {w}.",
    "Set a story near {w}.", "I need {w} in this.", "How would you bring {w} to life?", "Make {w} the heart of it.", "Next, {w}.", "A day with {w}.",
)  # fmt: skip
_MORE = (
    "",
    "",
    "",
    "",
    "Keep to the notes.",
    "Use what is known.",
    "Be vivid.",
    "No more than that.",
    "Past tense.",
    "Take your time.",
    "Surprise me.",
    "Start at once.",
)


def wish(who: str, words: int, vocabulary: Vocabulary, draw: random.Random) -> str:
    """A request for a scene about whom or what it names, which has no fact in it."""
    size = f", about {max(10, round(words, -1))} words" if draw.random() < 0.25 else ""
    pick = draw.random()
    if pick < 0.35:
        asked = draw.choice(_BARE).replace("{w}", who)
    elif pick < 0.5:
        _, third, _ = draw.choice(vocabulary.verbs)
        asked = f"{draw.choice(_DO)} {_a(draw)} in which {who} {third} the {draw.choice(vocabulary.nouns)}{size}."
    else:
        where = f" {draw.choice(vocabulary.where)}" if draw.random() < 0.2 else ""
        asked = f"{draw.choice(_DO)} {_a(draw)} {draw.choice(_LINKS)} {who}{where}{size}."
    return f"{cap(asked)} {draw.choice(_MORE)}".strip()


def _a(draw: random.Random) -> str:
    words = " ".join(filter(None, (draw.choice(_ADJECTIVES), draw.choice(_FORMS))))
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


# ruff: noqa: E501 - lists of wordings read best so
