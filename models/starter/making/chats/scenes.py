"""Scenes without lore: write one with these people, things or mood; continue one."""

from __future__ import annotations

import random
import re
from collections import Counter

from making.chats.chat import Chat, listed, one, turns
from making.chats.passages import Library
from making.chats.systems import voice
from making.corpus import sentences
from making.words import WORDS

_NOUN = re.compile(r"\b(?:the|a|an|his|her|my|their) ([a-z]{4,11})\b(?=[ ,.;])")
_COMMON = frozenset(WORDS["common"])
_MOODS = {
    "dread": "dark fear terror dread horror shadow cold death scream ghastly", "joy": "laughed smile happy joy merry bright delight glad",
    "anger": "angry rage furious fury struck curse shouted fierce", "sorrow": "wept tears grief sad sorrow sobbed mourn lonely",
    "haste": "ran hurried quick rushed haste suddenly leaped galloped", "calm": "quiet still calm gentle soft peaceful slow evening",
    "wonder": "strange wonderful marvel amazed wonder astonished curious", "love": "love loved kiss dear heart darling tender",
}  # fmt: skip


def scene(library: Library, draw: random.Random) -> Chat:
    """A passage for its people, its things, its mood or its first words."""
    passage = library.draw(draw)
    (text,), mapping = library.renamed([passage], draw, share=0.6)
    people = [mapping[name] for name in passage.people[:3]]
    asked = _asked(text, people, draw)
    return Chat("scene", turns(voice(draw), asked, text))


def _asked(text: str, people: list[str], draw: random.Random) -> str:
    words = max(10, round(len(text.split()), -1))
    who = f" with {listed(people)}" if people and draw.random() < 0.8 else ""
    about = f", about {words} words" if draw.random() < 0.5 else ""
    things = things_in(text)
    if things and draw.random() < 0.35:
        return one(
            draw,
            f"Write a scene{who} in which there is {listed(['the ' + thing for thing in things[:3]])}{about}.",
            f"Write{who} about {listed(['the ' + thing for thing in things[:2]])}{about}.",
            f"Use these words in a scene{who}: {', '.join(things[:4])}.",
        )
    if draw.random() < 0.2:
        return one(draw, f"Write a scene{who} full of {mood(text)}{about}.", f"The mood is {mood(text)}. Write a scene{who}{about}.")
    return one(
        draw, f"Write a scene{who}{about}.", f"Write a scene{who}, about {words} words.", f"Tell what happens{who}. About {words} words.",
        f"Continue in your own voice: a scene{who} of about {words} words.", f"Write a passage{who}.", f"Give me a scene{who}{about}.",
        f"I need a short scene{who}{about}.", f"Begin a story{who}.", f"What happens next{who}?",
        f"Write about {listed(people) or 'anything'}{about}.",
    )  # fmt: skip


def things_in(text: str) -> list[str]:
    """Nouns of the text, the most frequent first."""
    return [word for word, _ in Counter(word for word in _NOUN.findall(text) if word not in _COMMON).most_common(4)]


def mood(text: str) -> str:
    """The mood whose words occur most; calm if none does."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return max(_MOODS, key=lambda name: (len(words & set(_MOODS[name].split())), name == "calm"))


def continuation(library: Library, draw: random.Random) -> Chat:
    """The beginning of a passage in the user's message, the rest as the answer."""
    passage = library.draw(draw, 60, 190)
    (text,), _ = library.renamed([passage], draw, share=0.6)
    parts = sentences(text.replace("\n\n", " \0 "))
    cutting = max(1, round(len(parts) * draw.uniform(0.15, 0.5)))
    begun, rest = (" ".join(half).replace(" \0 ", "\n\n").strip() for half in (parts[:cutting], parts[cutting:]))
    if not rest:
        return scene(library, draw)
    asked = one(
        draw, f"Continue:\n\n{begun}", f"Continue this passage.\n\n{begun}", f"{begun}\n\nWhat comes next?", f"Go on from here: {begun}",
        begun,
        f"Here is how it begins:\n\n{begun}\n\nCarry on in the same voice.",
    )  # fmt: skip
    return Chat("continue", turns(voice(draw), asked, rest))
