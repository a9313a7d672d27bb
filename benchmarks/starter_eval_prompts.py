"""What the starter model is asked: a world book's notes, requests for scenes and questions, all unlike its training data.

The training generator (models/starter/making/chats) shares no kind of fact, no sentence, no frame around the lore, no wording of a request or
question and no name with this file. tests/starter/test_eval_disjoint.py compares them. Nobody tunes to what stands here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


PERSONS = _names(
    "Tamsin Ardwell,Leopold Vancourt,Ingrid Solheim,Casimir Drayle,Odette Farrant,Nikolai Bresk,Mabel Trewin,Rufus Kettering,Yvaine Morwick,"
    "Desmond Pryce,Saskia Vellan,Alaric Stenhouse,Beatrix Colmore,Dashiell Rourke,Elowen Tarrick,Hugo Ballantyne,Imogen Fairlie,Jorah Meldrum,"
    "Katya Orlov,Linus Greaves,Maren Halvorsen,Nestor Quayle,Ophelia Brandt,Piers Lockridge,Ramona Escher,Silas Wexcombe,Theodora Lisle,"
    "Ulric Hesketh,Vivian Ashdown,Wanda Kestrell"
)
PLACES = _names(
    "Velmora,Lessingham,Dunharrick,Brennoth,Oskarra,Ansferry,Tolverstone,Merrowdale,Yarrick Ness,Sundermere,Hexley,Ilvarra,Gorsefen,Caldershaw,"
    "Wenning Magna,Rothmarsh,Aldercombe,Zantara,Pellgrove,Stavrin,Quernfold,Fellhaven,Abbot’s Lorne,Nethercross,Bryndale,Osterwick,Trevannion,"
    "Larchwater,Skerra Holm,Thessamir"
)
THINGS = _names(
    "the Amaranth Codex,the Halcyon Orrery,the Obsidian Chalice,the Tarquin Sextant,the Basalt Gauntlet,the Cerulean Lantern,"
    "the Nightingale Astrolabe,the Verdigris Helm,the Ossuary Chime,the Wyrmwood Flute,the Kestrian Dagger,the Gilded Censer,the Sable Cuirass,"
    "the Hourless Pendulum,the Argent Quiver"
)


@dataclass(frozen=True)
class Kind:
    """A kind of fact. about: person, place or thing. {s} is the subject, {v} the value."""

    name: str
    about: str
    lore: str
    question: str
    values: tuple[str, ...]


# Values have no article of their own: a scene that says "the" where the note says "a" has used the fact all the same.
KINDS = (
    Kind("debt", "person", "{s} owes {v} to the moneylenders of the lower city and has stopped answering their letters.", "How much does {s} owe the moneylenders?", ("four hundred florins", "ninety crowns", "six thousand ducats", "eleven hundred guilders", "seventy gold marks", "two thousand rupees", "fifty-five sovereigns", "thirteen thousand lire")),
    Kind("addiction", "person", "{s} is addicted to {v} and has tried twice, without success, to give it up.", "What is {s} addicted to?", ("laudanum", "snuff", "poppy tea", "greyhound racing", "cough syrup", "chewing tobacco", "morphine", "absinthe")),
    Kind("allergy", "person", "One bite of {v} is enough to bring {s} out in a rash and close the throat.", "What food gives {s} a rash?", ("almonds", "strawberries", "buckwheat", "mustard", "celery", "crab meat", "egg custard", "sesame")),
    Kind("conviction", "person", "Long before the story opens, {s} spent six years in prison for {v}.", "What was {s} sent to prison for?", ("arson", "piracy", "blackmail", "forgery", "horse theft", "bigamy", "grave robbery", "embezzlement")),
    Kind("tattoo", "person", "On the inside of the left wrist {s} has a tattoo of a {v}, usually covered by a glove.", "What is the tattoo on {s}’s wrist?", ("coiled adder", "broken compass", "burning tower", "fox skull", "thistle", "kraken", "winged hourglass", "dead swallow")),
    Kind("ailment", "person", "{s} suffers from {v}, an illness that nobody but the doctor knows about.", "Which illness does {s} have?", ("night blindness", "gout", "epilepsy", "malaria", "asthma", "sleeping sickness", "vertigo", "rickets")),
    Kind("sorcery", "person", "{s} was born with a magical power over {v} and has never quite learned to control it.", "What does {s} have magical power over?", ("honeybees", "river ice", "rust", "candle flames", "mercury", "cobwebs", "thunderclouds", "bats")),
    Kind("roofing", "place", "The roofs of {s} are all covered with {v}, which keeps out the worst of the winter.", "What are the roofs of {s} covered with?", ("copper tiles", "whale skin", "turf", "seashells", "birch bark", "tarred canvas", "reindeer hides", "turtle shells")),
    Kind("deity", "place", "The people of {s} worship the {v} and leave offerings on the temple steps at dusk.", "Which god do the people of {s} worship?", ("River Mother", "Blind Archer", "Horned Ferryman", "Lady of Wasps", "Sleeping Giant", "Moonless King", "Three Sisters", "Lord of Ashes")),
    Kind("catastrophe", "place", "Forty years ago {s} was almost wiped out by a {v}, and whole districts were never rebuilt.", "What disaster almost wiped out {s} forty years ago?", ("landslide", "plague of locusts", "tidal wave", "cholera outbreak", "burst dam", "meteor", "gunpowder explosion", "smallpox epidemic")),
    Kind("monster", "place", "A {v} is said to live in the flooded caves under {s}, so boats keep away after dark.", "What lives in the caves under {s}?", ("two-headed wyvern", "blind crocodile", "white basilisk", "giant newt", "winged eel", "talking toad", "man-eating stork", "six-legged wolf")),
    Kind("governance", "place", "A {v} governs {s}, and every Monday the new laws are read aloud in the market.", "Who governs {s}?", ("council of widows", "guild of clockmakers", "retired admiral", "blind empress", "committee of bakers", "ten-year-old duke", "former pirate", "parliament of beekeepers")),
    Kind("mining", "place", "Miners have dug {v} out of the hills behind {s} for three centuries.", "What do the miners dig out of the hills behind {s}?", ("cobalt", "opals", "rock salt", "sulphur", "garnets", "zinc", "pink marble", "blue clay")),
    Kind("forfeit", "thing", "People who use {s} lose their {v} for a month, and there is no way around it.", "What do people lose when they use {s}?", ("sense of taste", "singing voice", "reflection", "sense of direction", "eyebrows", "fingernails", "colour vision", "memory for names")),
    Kind("weakness", "thing", "The one weakness of {s} is {v}: the slightest touch of it drains all the power away.", "What is the weakness of {s}?", ("birch sap", "vinegar", "goose fat", "lamp oil", "wood ash", "beeswax", "pine resin", "sea water")),
    Kind("counterfeit", "thing", "Forged copies of {s} exist, but only the original has a {v} near the base.", "How can the original of {s} be told from the forged copies?", ("hairline crack", "dragonfly mark", "drop of solder", "missing rivet", "crescent-shaped dent", "smear of red wax", "row of seven dots", "faint thumbprint")),
    Kind("hideaway", "thing", "Since the siege {s} has been hidden in a {v}, though most people believe it was destroyed.", "Where has {s} been hidden since the siege?", ("salmon barrel", "convent laundry", "dry cistern", "bakery chimney", "child’s coffin", "lime kiln", "haunted windmill", "rope factory")),
    Kind("glow", "thing", "Whenever an enemy comes near, {s} begins to glow {v} and hum softly.", "What colour does {s} glow when an enemy is near?", ("pale violet", "sickly green", "apricot", "turquoise", "indigo", "magenta", "bottle green", "saffron")),
)  # fmt: skip
# ruff: noqa: E501 - a kind a line reads best
FRAMES = (
    "You are the co-author of a fantasy novel. This is its world book:\n\n{notes}",
    "{notes}\n\nAll of the above is canon. Stay faithful to it in whatever you write.",
    "You assist a novelist with a long-running series.\n\nSeries bible:\n{notes}\n\nNever contradict the series bible.",
    "Characters and setting\n\n{notes}\n\nWrite the fiction that the user asks for, consistent with these details.",
)
PLAIN = (
    "You are the co-author of a fantasy novel.", "You assist a novelist with a long-running series.",
    "Write the fiction that the user asks for.", "You are an assistant for creative writing.",
)  # fmt: skip
SCENES = (
    "Please draft the next scene of my novel, with {s} at the centre.", "Could you write the passage where the reader first encounters {s}?",
    "Write an opening paragraph that introduces {s} to the reader.", "I need a scene of about two hundred words featuring {s}.",
    "Give me a tense scene involving {s}, please.", "How would the narrator describe {s}? Write that description.",
)  # fmt: skip
HEADINGS = ("{s}:", "[{s}]", "**{s}**.", "- {s}:")
NAMES = {"person": PERSONS, "place": PLACES, "thing": THINGS}


@dataclass(frozen=True)
class Prompt:
    """One held-out prompt. values: of the facts about the subject; question and asked: one of them asked for."""

    with_lore: str
    without_lore: str
    scene: str
    values: tuple[str, ...]
    question: str
    asked: str
    notes: tuple[tuple[str, str], ...]


def prompts(count: int, seed: int) -> list[Prompt]:
    """Seeded prompts: two facts about a subject (three about a person or a place), among notes about two others."""
    draw = random.Random(seed)
    return [_prompt(draw) for _ in range(count)]


def _prompt(draw: random.Random) -> Prompt:
    about = draw.choice(("person", "person", "place", "thing"))
    subject, other = draw.sample(NAMES[about], 2)
    other_kind = draw.choice([kind for kind in NAMES if kind != about])
    facts = _facts(about, 3 if about != "thing" else 2, draw)
    told = {value for _, value in facts}
    entries = [
        (subject, facts), (other, _facts(about, 1, draw, told)), (draw.choice(NAMES[other_kind]), _facts(other_kind, 2, draw)),
    ]  # fmt: skip
    draw.shuffle(entries)
    notes = tuple((name, " ".join(_say(kind.lore, name, value) for kind, value in about_it)) for name, about_it in entries)
    heading = draw.choice(HEADINGS)
    given = "\n".join(f"{_say(heading, name, '')} {text}" for name, text in notes)
    kind, value = draw.choice(facts)
    return Prompt(
        draw.choice(FRAMES).replace("{notes}", given), draw.choice(PLAIN), _say(draw.choice(SCENES), subject, ""),
        tuple(value for _, value in facts), _say(kind.question, subject, ""), value, notes,
    )  # fmt: skip


def _facts(about: str, count: int, draw: random.Random, but: set[str] | frozenset[str] = frozenset()) -> list[tuple[Kind, str]]:
    """Facts of different kinds. but: values told of the subject, which a note about another must not repeat."""
    kinds = draw.sample([kind for kind in KINDS if kind.about == about], count)
    return [(kind, draw.choice([value for value in kind.values if value not in but])) for kind in kinds]


def _say(template: str, subject: str, value: str) -> str:
    text = template.replace("{s}", subject).replace("{v}", value)
    return text[:1].upper() + text[1:]
