"""Facts of any kind: sentences put together from the books' words, and questions made of the words of the sentence itself.

What they say is nonsense more often than not. They teach one thing: find the sentence that the question is about, and say it again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from making import names
from making.chats import values
from making.chats.chat import cap
from making.chats.fact import Fact, Question
from making.chats.vocabulary import Vocabulary

Said = tuple[str, tuple[tuple[str, str], ...]]
"""A sentence without its full stop, and (question, value) for it."""
_BY = (
    "with",
    "for",
    "by",
    "under",
    "from",
    "like",
    "into",
    "without",
    "of",
    "about",
    "after",
    "against",
    "on",
    "at",
    "through",
    "than",
    "in",
)
_FRAMES = (
    "It is said that {s}", "Everybody knows that {s}", "{s}, as everybody knows", "They say that {s}", "{s}, or so it is told", "Strange to say, {s}",
    "{s}, and nobody asks why", "Of late {s}", "To this day {s}", "{s}, rain or shine", "Some hold that {s}", "{s}; so much is certain",
)  # fmt: skip
_ASKING = (
    "Tell me: {q}", "{q} I forget.", "Quickly: {q}", "{q} Answer from the notes.", "One thing I must know. {q}", "Look it up: {q}", "{q} Be exact.",
    "Help me out. {q}", "Question: {q}", "My editor asks: {q}", "Say it in a sentence. {q}", "{q} Who knows?",
)  # fmt: skip
_SMALL = frozenset(
    (
        *_BY,
        *[
            "the",
            "a",
            "an",
            "it",
            "to",
            "in",
            "at",
            "whenever",
            "when",
            "if",
            "before",
            "while",
            "because",
            "whoever",
            "those",
            "one",
            "who",
            "every",
            "strange",
            "of",
            "some",
            "they",
        ],
    )
)
STORY = (
    "Everybody knew that {s}.", "There was no doubt that {s}.", "So it was: {S}.", "“They say that {s},” the old woman began.", "{S}.", "{S}.",
    "{S}, and that was where it all began.", "“{S},” said a voice in the dark.", "It was an old story that {s}.", "One thing was certain: {S}.",
    "Remember this: {S}.", "{S}. Nobody spoke of it.", "He had heard that {s}.", "She thought of what people said: {S}.",
)  # fmt: skip


def phrase(words: Vocabulary, draw: random.Random) -> str:
    """A value: any noun phrase, a number of things, a name, something quoted or something done."""
    noun, adjective = draw.choice(words.nouns), draw.choice(words.adjectives)
    pick = draw.randrange(17)
    if pick < 3:
        return values.an(f"{adjective} {noun}")
    if pick == 3:
        return f"{values.number(draw)} {draw.choice(words.plurals)}"
    made: tuple[Callable[[], str], ...] = (
        lambda: noun, lambda: draw.choice(words.plurals), lambda: f"{adjective} {draw.choice(words.plurals)}", lambda: f"the {noun}",
        lambda: f"“{cap(adjective)} {cap(noun)}”", lambda: f"{noun}-{draw.choice(words.nouns)}", lambda: values.an(noun),
        lambda: f"the {noun} of {names.word_name(draw)}", lambda: f"{draw.choice(words.plurals)} and {draw.choice(words.plurals)}",
        lambda: f"{_ing(draw.choice(words.verbs)[0])} {draw.choice(words.plurals)}", lambda: names.word_name(draw).lower(),
        lambda: f"{noun} {draw.choice(words.nouns)}", lambda: values.KINDS[draw.choice(list(values.KINDS))](draw),
    )  # fmt: skip
    return made[pick - 4]()


def name(words: Vocabulary, draw: random.Random, pool: list[str]) -> str:
    """A name of one to three words: ordinary words with capitals, with or without invented ones."""
    noun, other, adjective = cap(draw.choice(words.nouns)), cap(draw.choice(words.nouns)), cap(draw.choice(words.adjectives))
    first = draw.choice(pool) if pool and draw.random() < 0.5 else names.word_name(draw)
    return draw.choice(
        (f"the {adjective} {noun}", f"the {adjective} {noun}", f"{first} {noun}", f"{first} {adjective}", f"{noun} {other}", f"{first}’s {noun}",
         f"{adjective} {names.word_name(draw)}", f"the {noun} of {names.word_name(draw)}", f"{noun}{other.lower()}", f"{first} {other} {noun}",
         f"the {noun}", f"{first} {names.word_name(draw)}")
    )  # fmt: skip


def open_fact(about: str, value: str, words: Vocabulary, draw: random.Random) -> Fact:
    """Something about the entity that has the value; a question may leave words out, or have some that the sentence does not have."""
    said, asked = draw.choice(_SHAPES)(about, value, words, draw)
    bare = said
    if draw.random() < 0.25:
        said = draw.choice(_FRAMES).replace("{s}", said)
    lore = cap(_tidy(said)) + "."
    questions = tuple(Question(_asking(question, words, draw), lore, value) for question, value in asked if value.lower() in lore.lower())
    return Fact(about, lore, story(_tidy(bare), draw), questions, (asked[0][1],), f"Open {lore}", lore)


def story(said: str, draw: random.Random) -> str:
    """The sentence as a story has it."""
    said = said.removesuffix(".")
    first, _, rest = said.partition(" ")
    small = f"{first.lower()} {rest}" if first.lower() in _SMALL else said
    return cap(draw.choice(STORY).replace("{s}", small).replace("{S}", cap(said)))


def _tidy(text: str) -> str:
    """Single spaces, and none before a mark."""
    return re.sub(r" (?=[,;:?])", "", " ".join(text.split()))


def _asking(question: str, words: Vocabulary, draw: random.Random) -> str:
    asked = _tidy(question)
    if asked.startswith("What ") and draw.random() < 0.2:
        asked = f"Which {draw.choice(words.nouns)} {asked[5:]}"
    elif draw.random() < 0.06:
        kept = [word for word in asked.rstrip("?").split() if word.lower() not in {"what", "does", "did", "is", "was", "the", "by"}]
        asked = draw.choice((", ".join(kept) + "?", " ".join(kept) + " – what?", " ".join(draw.sample(kept, len(kept))) + "?"))
    asked = cap(asked)
    return draw.choice(_ASKING).replace("{q}", asked) if draw.random() < 0.2 else asked


def _ing(base: str) -> str:
    return (base[:-1] if base.endswith("e") and not base.endswith("ee") else base) + "ing"


def _where(words: Vocabulary, draw: random.Random, often: float = 0.6) -> str:
    return draw.choice(words.where) if draw.random() < often else ""


def _verb(words: Vocabulary, draw: random.Random) -> tuple[str, str, str, str, str]:
    """(base, as in the sentence, past, does or did, is or was)"""
    base, now, past = draw.choice(words.verbs)
    return (base, now, past, "does", "is") if draw.random() < 0.55 else (base, past, past, "did", "was")


def _somebody(words: Vocabulary, draw: random.Random) -> str:
    return draw.choice(
        (f"the {draw.choice(words.nouns)}", f"every {draw.choice(words.nouns)}", names.word_name(draw), values.an(draw.choice(words.nouns)))
    )


def _does(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """Somebody does something to something somewhere."""
    base, said, past, does, is_ = _verb(words, draw)
    p, often = _where(words, draw), draw.choice(("", "", "", " always", " never", " often", " once", f" {draw.choice(words.adverbs)}"))
    kept = p if draw.random() < 0.7 else ""
    lore = draw.choice((f"{e}{often} {said} {v} {p}", f"{p + ', ' if p else ''}{e}{often} {said} {v}", f"it {is_} {v} that {e} {said} {p}",
                        f"{v} {is_} {past} by {e} {p}"))  # fmt: skip
    asked = draw.choice((f"What {does} {e} {base} {kept}?", f"{e} {said} what {kept}?", f"What {is_} {past} by {e} {kept}?",
                         f"What {is_} it that {e}{often} {said} {kept}?", f"What {kept} {does} {e} {base}?", f"By {e} what {is_} {past}?",
                         f"What thing {kept} {is_} {past} by {e}?"))  # fmt: skip
    where = ((f"Where {does} {e} {base} {v}?", p),) if p and draw.random() < 0.3 else ()
    who = ((f"{draw.choice(('Who or what', 'Who', 'What'))} {said} {v} {kept}?", e),) if draw.random() < 0.3 else ()
    return lore, ((asked, v), *where, *who)


def _suffers(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """Something is done to it by something."""
    _, _, past = draw.choice(words.verbs)
    p, was = _where(words, draw), draw.choice(("was", "is", "was once", "will be"))
    lore = draw.choice((f"{e} {was} {past} by {v} {p}", f"{p + ', ' if p else ''}{e} {was} {past} by {v}", f"{v} {past} {e} {p}"))
    is_ = was.split()[0]
    asked = draw.choice((f"By what {is_} {e} {past} {p}?", f"What {past} {e} {p}?", f"Who or what {past} {e}?", f"{e} {was} {past} by what?",
                         f"What {is_} {e} {past} by {p}?", f"By whom {is_} {e} {past}?"))  # fmt: skip
    return lore, ((asked, v),)


def _part(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """A part of it, or somebody belonging to it, does something."""
    base, said, past, does, is_ = _verb(words, draw)
    noun, p = draw.choice(words.nouns), _where(words, draw, 0.4)
    whose = draw.choice((f"{e}’s {noun}", f"the {noun} of {e}"))
    other = draw.choice((f"{e}’s {noun}", f"the {noun} of {e}", f"the {noun} that {e} has"))
    asked = draw.choice(
        (f"What {does} {other} {base} {p}?", f"What {is_} {past} by {other}?", f"{other} {said} what?", f"What {does} {other} {base}?")
    )
    return f"{whose} {said} {v} {p}", ((asked, v),)


def _is(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """Its this or that is the value."""
    noun, was = draw.choice(words.nouns), draw.choice(("is", "is", "was"))
    noun = f"{draw.choice(words.adjectives)} {noun}" if draw.random() < 0.4 else noun
    lore = draw.choice((f"{e}’s {noun} {was} {v}", f"the {noun} of {e} {was} {v}", f"{e} has {v} for {values.an(noun)}", f"{v} {was} {e}’s {noun}",
                        f"{e}, {noun}: {v}", f"{e} has {values.an(noun)} like {v}", f"for {values.an(noun)} {e} has {v}"))  # fmt: skip
    asked = draw.choice((f"What {was} {e}’s {noun}?", f"What {was} the {noun} of {e}?", f"{e}’s {noun}?", f"What {noun} has {e}?",
                         f"What does {e} have for {values.an(noun)}?", f"{e} has what {noun}?", f"Which {noun} is {e}’s?"))  # fmt: skip
    return lore, ((asked, v),)


def _with(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """It does something with, under, for the value; or is so."""
    by, p = draw.choice(_BY), _where(words, draw, 0.4)
    if draw.random() < 0.3:
        adjective, is_ = draw.choice(words.adjectives), draw.choice(("is", "was", "seems"))
        lore = f"{e} {is_} {adjective} {by} {v}"
        return lore, (
            (
                draw.choice(
                    (f"{by} what {is_} {e} {adjective}?", f"What {is_} {e} {adjective} {by}?", f"{e} {is_} {adjective} {by} what?")
                ),
                v,
            ),
        )
    base, said, _, does, _ = _verb(words, draw)
    tail = draw.choice(("", f"{draw.choice(('the', 'every'))} {draw.choice(words.nouns)}"))
    lore = draw.choice(
        (f"{e} {said} {tail} {by} {v} {p}", f"{p + ', ' if p else ''}{e} {said} {tail} {by} {v}", f"{by} {v} {e} {said} {tail} {p}")
    )
    asked = draw.choice((f"{by} what {does} {e} {base} {tail}?", f"What {does} {e} {base} {tail} {by}?", f"{e} {said} {tail} {by} what?",
                         f"{by} what {does} {e} {base} {tail} {p}?"))  # fmt: skip
    return lore, ((asked, v),)


def _when(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """Whenever something happens it does something, or the other way round."""
    base, said, past, does, is_ = _verb(words, draw)
    _, now, then = draw.choice(words.verbs)
    start = draw.choice(("whenever", "when", "if", "before", "after", "because", "while", "every time"))
    noun = draw.choice(words.nouns)
    happens = f"{_somebody(words, draw)} {now if does == 'does' else then} {draw.choice(('', f'the {noun}', draw.choice(words.where)))}"
    if draw.random() < 0.35:
        somebody = _somebody(words, draw)
        happens = f"{e} {now if does == 'does' else then} {draw.choice(('', f'the {noun}'))}"
        lore = draw.choice((f"{start} {happens}, {somebody} {said} {v}", f"{somebody} {said} {v} {start} {happens}"))
        return lore, ((draw.choice((f"What {does} {somebody} {base} {start} {happens}?", f"What happens {start} {happens}?")), v),)
    lore = draw.choice((f"{start} {happens}, {e} {said} {v}", f"{e} {said} {v} {start} {happens}"))
    asked = draw.choice((f"What {does} {e} {base} {start} {happens}?", f"What {is_} {past} by {e} {start} {happens}?", f"What {start} {happens} {does} {e} {base}?",
                         f"{e} {said} what {start} {happens}?", f"What happens {start} {happens}?"))  # fmt: skip
    return lore, ((asked, v),)


def _others(e: str, v: str, words: Vocabulary, draw: random.Random) -> Said:
    """Others do something to it, with the value; or those who do so get the value."""
    base, said, past, does, is_ = _verb(words, draw)
    again, more, _ = draw.choice(words.verbs)
    somebody, by = _somebody(words, draw), draw.choice(_BY)
    shape = draw.randrange(5)
    if shape == 0:
        lore = draw.choice(
            (f"whoever {said} {e} {more} {v}", f"those who {base} {e} {again} {v}", f"to {again} {v} is the lot of those who {base} {e}")
        )
        return lore, (
            (
                draw.choice(
                    (
                        f"What do those who {base} {e} {again}?",
                        f"What is the lot of those who {base} {e}?",
                        f"Whoever {said} {e}: what then?",
                    )
                ),
                v,
            ),
        )
    if shape == 1:
        must = draw.choice(("must", "has to", "may not", "cannot"))
        lore = draw.choice(
            (
                f"to {base} {e} one {must} {again} {v}",
                f"one {must} {again} {v} to {base} {e}",
                f"who wants to {base} {e} {must} {again} {v}",
            )
        )
        return lore, ((draw.choice((f"What {must} one {again} to {base} {e}?", f"To {base} {e}, what {must} one {again}?", f"How does one {base} {e}?",
                                    f"What {must} be {past} to {base} {e}?")), v),)  # fmt: skip
    if shape == 2:
        p = draw.choice(words.where)
        lore = draw.choice((f"{p} of {e} {said} {v}", f"{v} {said} {p} of {e}", f"at {e} {v} {said} {p}"))
        return lore, ((draw.choice((f"What {said} {p} of {e}?", f"{p} of {e} what {said}?", f"At {e}, what {said} {p}?")), v),)
    if shape == 3:
        lore = f"{e} is {draw.choice(('known', 'feared', 'loved', 'famous', 'remembered'))} for {_ing(base)} {v}"
        return lore, (
            (draw.choice((f"For {_ing(base)} what is {e} known?", f"What does {e} {base}?", f"What is {e} known for {_ing(base)}?")), v),
        )
    lore = draw.choice((f"{somebody} {said} {e} {by} {v}", f"{by} {v} {somebody} {said} {e}", f"{e} {is_} {past} {by} {v} by {somebody}"))
    return lore, ((draw.choice((f"{by} what {does} {somebody} {base} {e}?", f"{by} what {is_} {e} {past}?", f"What {is_} {e} {past} {by}?",
                                f"{somebody} {said} {e} {by} what?")), v),)  # fmt: skip


_SHAPES = (_does, _does, _does, _suffers, _part, _is, _is, _with, _with, _when, _others, _others)
# ruff: noqa: E501 - lists of wordings read best so
