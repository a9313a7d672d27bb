"""Values that facts can have: built from parts, so that there are far too many to remember."""

from __future__ import annotations

import random
from collections.abc import Callable

from making import names
from making.words import WORDS

SHADES = WORDS["shades"]
COLOURS = WORDS["colours"]
TREATED = WORDS["treated"]
MATERIALS = WORDS["materials"]
GOODS = WORDS["goods"]
FOODS = WORDS["foods"]
DRINKS = WORDS["drinks"]
ANIMALS = WORDS["animals"]
TRADES = WORDS["trades"]
OBJECTS = WORDS["objects"]
BUILDINGS = WORDS["buildings"]
RANKS = WORDS["ranks"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = WORDS["months"]
UNITS = WORDS["units"]
TENS = WORDS["tens"]
ONES = WORDS["ones"]
TEENS = WORDS["teens"]
ORDINALS = WORDS["ordinals"]
MONEY = WORDS["money"]
SAYINGS = WORDS["sayings"]


def colour(draw: random.Random) -> str:
    pick = draw.random()
    if pick < 0.4:
        return draw.choice(COLOURS)
    return f"{draw.choice(SHADES)} {draw.choice(COLOURS)}" if pick < 0.8 else f"{draw.choice(COLOURS)} and {draw.choice(COLOURS)}"


def material(draw: random.Random) -> str:
    return draw.choice(MATERIALS) if draw.random() < 0.35 else f"{draw.choice(TREATED)} {draw.choice(MATERIALS)}"


def number(draw: random.Random) -> str:
    """A number in words or in figures."""
    pick = draw.random()
    if pick < 0.25:
        return draw.choice(ONES[2:] + TEENS)
    if pick < 0.6:
        return f"{draw.choice(TENS)}-{draw.choice(ONES)}"
    if pick < 0.7:
        return f"{draw.choice(ONES)} hundred and {draw.choice(TEENS + TENS)}"
    return str(draw.randint(11, 99) if draw.random() < 0.5 else draw.randint(100, 9999))


def year(draw: random.Random) -> str:
    return str(draw.randint(12, 3000)) if draw.random() < 0.8 else f"the year {draw.randint(2, 900)}"


def date(draw: random.Random) -> str:
    month = draw.choice(MONTHS) if draw.random() < 0.6 else names.word_name(draw)
    return f"the {draw.choice(ORDINALS)} of {month}" if draw.random() < 0.6 else f"{draw.randint(1, 30)} {month}"


def measure(draw: random.Random) -> str:
    return f"{number(draw)} {draw.choice(UNITS)}"


def clock(draw: random.Random) -> str:
    return f"{draw.randint(1, 26)}:{draw.randint(0, 59):02}" if draw.random() < 0.5 else f"{draw.choice(ONES[2:] + TEENS[:2])} o’clock"


def an(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def thing(draw: random.Random) -> str:
    return an(f"{material(draw) if draw.random() < 0.6 else colour(draw)} {draw.choice(OBJECTS)}")


def creature(draw: random.Random) -> str:
    """An animal, often with a name."""
    beast = an(f"{draw.choice(COLOURS)} {draw.choice(ANIMALS)}" if draw.random() < 0.6 else draw.choice(ANIMALS))
    return f"{beast} called {names.word_name(draw)}" if draw.random() < 0.6 else beast


def motto(draw: random.Random) -> str:
    return f"“{cap_first(draw.choice(SAYINGS))} the {draw.choice(MATERIALS)} {draw.choice(OBJECTS)}”"


def cap_first(text: str) -> str:
    return text[0].upper() + text[1:]


KINDS: dict[str, Callable[[random.Random], str]] = {
    "colour": colour, "material": material, "number": number, "year": year, "date": date, "measure": measure, "clock": clock,
    "thing": thing,
    "creature": creature, "motto": motto, "place": names.place_name, "ship": names.ship_name, "name": names.word_name,
    "person": lambda draw: names.person_name(draw, []),
    "goods": lambda draw: draw.choice(GOODS) if draw.random() < 0.5 else f"{draw.choice(GOODS)} and {draw.choice(GOODS)}",
    "food": lambda draw: draw.choice(FOODS), "drink": lambda draw: draw.choice(DRINKS), "trade": lambda draw: an(draw.choice(TRADES)),
    "rank": lambda draw: draw.choice(RANKS), "day": lambda draw: draw.choice(DAYS),
    "building": lambda draw: f"the {draw.choice(COLOURS)} {draw.choice(BUILDINGS)}",
    "money": lambda draw: f"{number(draw)} {draw.choice(MONEY)}", "years": lambda draw: f"{number(draw)} years",
    "people": lambda draw: f"{number(draw)} people",
}  # fmt: skip
