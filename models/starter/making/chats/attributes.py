"""What can be said of persons, places and things: attributes with the kind of their value, and relations with wordings of their own."""

from __future__ import annotations

from dataclasses import dataclass

from making.words import WORDS

_PERSON = """
colour: coat, scarf, waistcoat, hat, eyes, hair, beard, front door, boat, notebook, left glove, umbrella, bedroom, kite, saddle, sash
material: walking stick, ring, belt buckle, left hand, comb, knife handle, chair, spoon, necklace, wooden box, mask, pipe, desk, bracelet,
material: arm
thing: weapon, lucky charm, favourite tool, heirloom, wedding present, prized possession, paperweight, first purchase, badge of office,
thing: prize
creature: pet, mount, companion, guard at the door
name: horse, dog, cat, mule, parrot, middle name, nickname, pony
person: mother, father, sister, brother, teacher, rival, captain, employer, partner, cousin, daughter, son, grandmother, landlady,
person: physician,
person: deputy, closest friend, predecessor, apprentice, husband, wife, enemy, aunt, clerk, lawyer
place: birthplace, home town, hiding place, place of work, destination, summer house, last address, school
ship: ship, first ship, boat, former ship
number: age, lucky number, house number, room number, locker number, number of cousins, number of medals, badge number, service number
measure: height, reach, longest dive, daily walk
years: length of service, apprenticeship, time at sea, time in office, exile
money: monthly wages, rent, savings, price, pension, fee, fine
trade: trade, father's trade, former occupation
rank: rank, first post, official title
food: favourite food, usual breakfast, Sunday dinner, supper
drink: favourite drink, evening drink, remedy for a cold
date: birthday, wedding day, day of departure, name day
year: year of birth, year of arrival, year of graduation
day: day off, bath day, baking day
clock: bedtime, hour of rising, dinner hour
goods: cargo, stock-in-trade, main import
motto: motto, family motto, favourite saying
"""
_PLACE = """
person: founder, mayor, ruler, governor, keeper, gatekeeper, priest, harbour master, oldest inhabitant, magistrate, doctor, baker, innkeeper
person: librarian, hangman, architect, schoolmistress, richest merchant
colour: roofs, gates, flag, walls, harbour water, doors, street lamps, sand, uniforms of the guard
material: bridge, gates, main street, walls, roof, quay, bell tower, stairs, coffins, statues, pavement
number: number of towers, number of gates, number of wells, number of bridges, population, number of lamps, number of steps,
number: number of chimneys
measure: length of the wall, distance from the sea, depth of the well, height of the tower, width of the river
year: year of founding, year of the great fire, year of the flood
goods: main export, chief trade, chief crop, main import, tax in kind
food: best-known dish, festival food
drink: local drink
building: oldest building, town hall, court house, tallest building, meeting place
name: river, coin, patron saint, main square, local newspaper, great bell, dialect, ruling family
place: nearest town, port, rival town, sister city, quarry, burial ground
day: market day, court day, day of rest
date: founding day, festival, opening day
clock: closing hour, curfew, noon bell, opening hour
money: toll, price of a bed, yearly tax, price of bread
creature: emblem, mascot, beast on the coat of arms
ship: only ferry, flagship, mail boat
motto: motto, inscription over the gate
thing: greatest treasure, town trophy, charter gift
"""
_THING = """
person: maker, owner, finder, captain, designer, first owner, builder, thief, pilot, engineer, inventor, buyer
colour: colour, sails, hull, lid, handle, light, stripe, lining, case, smoke
material: handle, hull, lid, blade, frame, wheels, keel, lock, mast, casing, rim, lining
money: price, insured value, cost of repair, ransom
number: crew, number of parts, serial number, number of wheels, number of oars, number of passengers, number of dials, number of keys
measure: length, range, width, draught, height
years: age, guarantee
place: home port, place of manufacture, resting place, usual berth
building: workshop, store
year: year of making, year of the launch, year of discovery
goods: cargo, filling, fuel, ballast
creature: figurehead, emblem, engraving
name: engine, twin, original name, model name
motto: inscription, motto on the hull
date: day of the launch, day of the theft
clock: hour of departure, hour of arrival
thing: counterweight, key, cover
"""


def _read(text: str) -> tuple[tuple[str, str], ...]:
    """(attribute, kind of its value) of every attribute in the lines above."""
    lines = (line.rstrip(",").split(": ", 1) for line in text.strip().splitlines())
    return tuple((name.strip().replace("'", "’"), kind) for kind, names in lines for name in names.split(",") if name.strip())


ATTRIBUTES = {"person": _read(_PERSON), "place": _read(_PLACE), "thing": _read(_THING)}
PLURAL = frozenset(WORDS["plural"])

LORE = (
    "The {a} of {e} {is} {v}.", "{e}’s {a} {is} {v}.", "The {a} of {e} {is} {v}, and everybody knows it.", "{e}’s {a} {is} said to be {v}.",
    "It is well known that {e}’s {a} {is} {v}.", "As for the {a} of {e}, it is {v}.", "{e}: the {a} {is} {v}.",
    "Ask for {e}’s {a} and you are told: {v}.",
    "{e}’s {a} {was} always {v}.", "By all accounts the {a} of {e} {is} {v}.", "{v}: that {is} {e}’s {a}.",
    "{e}’s {a}, {v}, never changes.",
)  # fmt: skip
TOLD = (
    "{e}’s {a} {was} {v}.", "The {a} of {e} {was} {v}.", "Nobody could forget {e}’s {a}: {v}.",
    "“{v},” came the answer. That {was} {e}’s {a}.",
    "It was {v}, the {a} of {e}, and it had never been anything else.", "There was no mistaking it; {e}’s {a} {was} {v}, as always.",
    "“{e}’s {a} {is} {v},” said a voice behind the door.", "I thought of {e}’s {a}, {v}, and was silent.",
    "{e}’s {a}, {v}, was the talk of the evening.",
    "“Tell me the {a} of {e},” he said. “It is {v},” she answered.", "They spoke of the {a} of {e}, which {was} {v}.",
)  # fmt: skip
ASKED = (
    "What {is} {e}’s {a}?", "What {is} the {a} of {e}?", "Tell me {e}’s {a}.", "Do you know {e}’s {a}?",
    "What do the notes say about {e}’s {a}?",
    "Describe {e}’s {a}.", "Name the {a} of {e}.", "{e}’s {a}: what {is} it?", "What can you say about the {a} of {e}?",
    "I forget {e}’s {a}. What {is} it?",
    "What would you call {e}’s {a}?", "Give me the {a} of {e}.",
)  # fmt: skip
ASKED_BY_KIND = {
    "person": ("Who {is} {e}’s {a}?", "Who {is} the {a} of {e}?", "By what name is {e}’s {a} known?"),
    "colour": ("What colour {is} {e}’s {a}?", "Which colour {has} the {a} of {e}?", "Of what colour {is} {e}’s {a}?"),
    "material": ("What {is} {e}’s {a} made of?", "Of what {is} the {a} of {e} made?", "What material {is} {e}’s {a}?"),
    "place": ("Where {is} {e}’s {a}?", "Which place {is} the {a} of {e}?"),
    "day": ("Which day {is} the {a} of {e}?", "On what day is {e}’s {a}?"),
    "date": ("When {is} {e}’s {a}?", "On which date does {e}’s {a} fall?"),
    "clock": ("At what time is {e}’s {a}?", "When is the {a} of {e}?"),
    "money": ("How much {is} {e}’s {a}?", "What does {e}’s {a} come to?"),
    "number": ("What number is {e}’s {a}?", "How many, or what number, is the {a} of {e}?"),
    "name": ("What is the name of {e}’s {a}?", "What is {e}’s {a} called?"),
    "ship": ("What is the name of {e}’s {a}?", "Which vessel {is} {e}’s {a}?"),
}
REPLIES = (
    "{e}’s {a} {is} {v}.", "The {a} of {e} {is} {v}.", "{v}. That {is} {e}’s {a}.", "According to the notes, {e}’s {a} {is} {v}.",
    "It is {v}.",
    "{e}’s {a}? It is {v}.", "The notes say that the {a} of {e} {is} {v}.", "{e}’s {a} {is} {v}, as far as is known.",
)  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """A fact with wordings of its own. of: person, place or thing; values: kind of the value; {e} and {v} stand for the two."""

    of: str
    values: str
    lore: tuple[str, ...]
    told: tuple[str, ...]
    asked: tuple[str, ...]
    replies: tuple[str, ...]
