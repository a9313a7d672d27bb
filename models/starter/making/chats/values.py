"""Values that facts can have: built from parts, so that there are far too many to remember."""

from __future__ import annotations

import random
from collections.abc import Callable

from making import names

SHADES = "pale dark deep dusty bright faded burnt smoky rusty milky dull glossy soft bitter washed-out".split()
COLOURS = (
    "red green blue yellow grey brown black white violet orange crimson scarlet amber ochre teal indigo silver gold ivory lilac olive russet "
    "turquoise copper mustard plum cream bottle-green sea-blue rose".split()
)
TREATED = "polished blackened carved hammered cracked old painted oiled split frosted pitted varnished green fired rough".split()
MATERIALS = (
    "oak brass glass iron bone slate copper leather tin marble wool amber pewter clay silver ash linen ivory bronze velvet horn steel cork "
    "granite wax chalk canvas reed jade lead porcelain walnut ebony coral felt rope sandstone".split()
)
GOODS = (
    "salt,wool,lamp oil,tin,honey,dried fish,rope,barley,glass beads,copper wire,tea,soap,tallow,paper,cider,coal,timber,pepper,hides,"
    "clockwork,onions,cheese,silk thread,vinegar,feathers,nails,ink,saffron,turnips,gunpowder,cod,buttons,sulphur,ice,apricots,blankets"
).split(",")
FOODS = (
    "barley soup,eel pie,black bread,pickled plums,roast chestnuts,cold mutton,fried mackerel,oat cakes,goat’s cheese,turnip stew,"
    "honey cakes,smoked trout,boiled eggs,rice and beans,pear tart,dumplings,burnt toast,lentils,rabbit stew,kippers,ginger biscuits"
).split(",")
DRINKS = "black tea,plum brandy,cider,goat’s milk,hot rum,barley water,red wine,nettle beer,coffee without sugar,mint tea,buttermilk".split(",")
ANIMALS = "heron,otter,goose,mule,raven,mastiff,tortoise,ferret,owl,goat,lynx,parrot,toad,pike,hare,badger,crane,wolf,pony,monkey,bee".split(",")
TRADES = (
    "clockmaker,ferryman,surgeon,glass-blower,smuggler,map-maker,baker,schoolmaster,bell-founder,rope-maker,spy,lighthouse keeper,judge,"
    "cook,diver,printer,gravedigger,pilot,beekeeper,weaver,tax collector,engineer,barber,forger,locksmith,miller,astronomer,cooper,tailor"
).split(",")
OBJECTS = (
    "whistle,lantern,knife,compass,ledger,key,spoon,mirror,bell,watch,pistol,flask,comb,ring,box,telescope,candlestick,needle,coin,map,"
    "umbrella,trumpet,hourglass,notebook,cane,locket,thimble,hammer,axe,pipe,pair of scissors,chess piece,doll,jar,lens,drum,chain,cup"
).split(",")
BUILDINGS = "mill,chapel,customs house,tower,granary,bath-house,library,prison,lighthouse,theatre,smithy,tannery,inn,observatory,bridge,well".split(",")
RANKS = "corporal,second mate,chief engineer,junior clerk,deputy warden,first officer,quartermaster,magistrate,sergeant,apprentice".split(",")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
UNITS = "metres miles feet fathoms paces leagues yards kilometres".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ONES = "one two three four five six seven eight nine".split()
TEENS = "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
MONEY = "crowns shillings dollars marks pence guineas ducats credits".split()
SAYINGS = "keep,spare,mind,follow,trust,bless,forget,feed,count,hold".split(",")


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
    "colour": colour, "material": material, "number": number, "year": year, "date": date, "measure": measure, "clock": clock, "thing": thing,
    "creature": creature, "motto": motto, "place": names.place_name, "ship": names.ship_name, "name": names.word_name,
    "person": lambda draw: names.person_name(draw, []),
    "goods": lambda draw: draw.choice(GOODS) if draw.random() < 0.5 else f"{draw.choice(GOODS)} and {draw.choice(GOODS)}",
    "food": lambda draw: draw.choice(FOODS), "drink": lambda draw: draw.choice(DRINKS), "trade": lambda draw: an(draw.choice(TRADES)),
    "rank": lambda draw: draw.choice(RANKS), "day": lambda draw: draw.choice(DAYS),
    "building": lambda draw: f"the {draw.choice(COLOURS)} {draw.choice(BUILDINGS)}" if draw.random() < 0.5 else f"the {draw.choice(BUILDINGS)}",
    "money": lambda draw: f"{number(draw)} {draw.choice(MONEY)}", "years": lambda draw: f"{number(draw)} years",
    "people": lambda draw: f"{number(draw)} people",
}  # fmt: skip
