"""What the starter model is asked: lore, scenes and questions that nothing of its training data resembles.

Disjoint from the training generator (models/starter/making/chats) by construction: no kind of fact, no sentence template, no frame around the
lore, no wording of a request or question and no name of this file occurs there. tests/starter/test_eval_disjoint.py compares them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


PERSONS = _names(
    "Ottoline Quarrie,Bettany Crule,Ansgar Phelp,Isolde Wrackham,Tiberius Nunn,Marguerite Oxblood,Corwin Adderley,Philippa Sneed,Lazlo Vintner,"
    "Hester Gallowglass,Evander Mopp,Rosalind Thrupp,Jasper Hollin,Winifred Scathe,Barnaby Fitch,Seraphine Dowd,Aurelio Bannock,Thomasin Yarrow,"
    "Cuthbert Leech,Delphine Marchbanks,Ignatius Rook,Persis Underhay,Roderick Plumb,Clemency Haddock,Zebulon Frye,Araminta Stoke,Gideon Larkspur,"
    "Millicent Bray,Orlando Tench,Verity Copplestone"
)
PLACES = _names(
    "Gullswater,Candlewick Row,Thornapple,Saltmarrow,Hobbler’s End,Ravenspurn Hall,Tarnished Hill,Eelpie Lane,Oldmarket,Brackenfold,Mistral Bay,"
    "Cinder Street,Foxglove Priory,Winterbourne,Larkrise,Gallows Mead,Stonecrop,Duskwater,Nettlebed,Pilgrim’s Rest,Wolfpit,Marigold Quay,"
    "Hartsease,Smokehouse Alley,Dovecote Yard,Icehouse Green,Mulberry Sound,Tinker’s Drift,Owlpen,Quillhaven"
)
THINGS = _names(
    "the Weeping Engine,the Glass Stag,the Pewter Harlequin,the Velvet Cannon,the Paper Moon,the Drowned Piano,the Tin Bishop,the Ninefold Loom,"
    "the Whispering Stove,the Ember Wheel,the Salt Cradle,the Hollow Admiral,the Marble Kite,the Upside Lamp,the Crooked Dynamo"
)


@dataclass(frozen=True)
class Kind:
    """A kind of fact. about: person, place or thing. {s} is the subject, {v} the value."""

    name: str
    about: str
    lore: str
    question: str
    values: tuple[str, ...]


KINDS = (
    Kind("password", "place", "Nobody gets past the watch at {s} at night without whispering “{v}” through the grating.", "Which word has to be whispered to get past the watch at {s}?", ("thistledown", "marrowbone", "candlefat", "periwinkle", "hobnail", "quicklime", "gooseberry", "lodestone")),
    Kind("scent", "person", "Wherever {s} goes, a smell of {v} hangs in the air for an hour.", "What smell lingers wherever {s} goes?", ("camphor", "burnt sugar", "juniper", "turpentine", "cloves", "wet slate", "quinces", "liquorice")),
    Kind("instrument", "person", "During thunderstorms {s} climbs to the attic and plays the {v}, very badly.", "Which instrument is played by {s} during thunderstorms?", ("bassoon", "zither", "hurdy-gurdy", "ocarina", "harmonium", "theremin", "banjo", "tuba")),
    Kind("phobia", "person", "Nothing on earth frightens {s} except {v}.", "What frightens {s}?", ("moths", "cellar stairs", "porcelain dolls", "magpies", "ventriloquists", "escalators", "jellyfish", "barometers")),
    Kind("scar", "person", "The scar above the left eyebrow was given to {s} by {v}, on a wet night.", "By what was {s} given the scar?", ("a harpoon", "a falling chimney", "boiling jam", "an angry swan", "a runaway tram", "a cricket bat", "a rocket", "a broken mandolin")),
    Kind("taboo", "place", "Inside the bounds of {s} it is strictly forbidden to {v}, even for children.", "What is strictly forbidden inside the bounds of {s}?", ("whistle hymns", "juggle", "sneeze twice", "wear spectacles", "skip rope", "mention turnips", "walk backwards", "yawn aloud")),
    Kind("noise", "thing", "As soon as {s} is started, it makes a noise like {v}.", "Like what does it sound when {s} is started?", ("a choir of frogs", "tearing silk", "a hundred spoons", "distant applause", "a sneezing elephant", "gravel in a bucket", "a drunken cuckoo", "wet thunder")),
    Kind("parlour game", "place", "The evenings at {s} pass with a card game by the name of {v}, at which everybody cheats.", "Which card game fills the evenings at {s}?", ("Blind Bishop", "Spindle", "Tattercoat", "Nine Bones", "Hangdog", "Trollop’s Luck", "Mumblepeg", "Cabbage")),
    Kind("downpour", "place", "Once a year, without warning, {v} rain down upon {s}.", "Once a year something rains down upon {s}. What?", ("herrings", "moth wings", "copper pins", "walnut shells", "white feathers", "torn letters", "tadpoles", "acorns")),
    Kind("vow", "person", "After the trial {s} swore a vow never again to touch {v}.", "What has {s} vowed never to touch again?", ("loaded dice", "gunmetal", "marmalade", "parchment", "oysters", "a steering wheel", "violins", "peacocks")),
    Kind("disguise", "person", "To the masquerade {s} invariably comes disguised as {v}.", "As what does {s} disguise for the masquerade?", ("a scarecrow", "an abbess", "a lobster", "a chimney sweep", "a pharaoh", "a beehive", "a hangman", "a weathercock")),
    Kind("subject", "person", "At the university {s} lectures, to empty benches, on {v}.", "On which subject does {s} lecture?", ("ditches", "mermaids", "mildew", "Etruscan plumbing", "comets", "bookworms", "volcanoes", "perjury")),
    Kind("curse", "thing", "A curse lies upon {s}: those who sleep near it wake up {v}.", "What befalls those who sleep near {s}?", ("left-handed", "bald as an egg", "speaking Flemish", "colour-blind", "an inch shorter", "speaking in rhymes", "penniless", "without a shadow")),
    Kind("bribe", "thing", "The only way to coax {s} into motion is to pour {v} over it.", "What has to be poured over {s} to coax it into motion?", ("treacle", "holy water", "flat champagne", "paraffin", "buttered milk", "cold gravy", "rosewater", "castor oil")),
)  # fmt: skip
# ruff: noqa: E501 - a kind a line reads best
FRAMES = (
    "You narrate tales.\n\nExtracts from the almanac, which are true in this tale:\n\n{notes}",
    "The chronicle records the following.\n\n{notes}\n\nWhatever is narrated must agree with the chronicle.",
    "You are a seasoned teller of tales who respects the archive. From the archive:\n{notes}",
    "Dossier\n\n{notes}\n\nEnd of dossier.",
)
PLAIN = ("You narrate tales.", "You are a seasoned teller of tales.", "Narrate in good plain English.", "You tell tales by the fire.")
SCENES = (
    "Narrate an episode in which {s} plays a part.", "I would like to read an episode about {s}.", "Compose a page of fiction. {s} should turn up in it.",
    "Take me to the moment when the trouble around {s} begins.", "Paint a vivid picture of {s} in a paragraph or two.",
)  # fmt: skip
HEADINGS = ("{s} —", "Entry: {s}.", "On {s}:", "• {s}.")
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
    """Seeded prompts: two facts about a subject (three about a person), among notes about two others."""
    draw = random.Random(seed)
    return [_prompt(draw) for _ in range(count)]


def _prompt(draw: random.Random) -> Prompt:
    about = draw.choice(("person", "person", "place", "thing"))
    subject, *others = draw.sample(NAMES[about], 2)
    other_kind = draw.choice([kind for kind in NAMES if kind != about])
    facts = _facts(about, 3 if about != "thing" else 2, draw)
    entries = [
        (subject, facts), (others[0], _facts(about, 1, draw)), (draw.choice(NAMES[other_kind]), _facts(other_kind, 2, draw)),
    ]  # fmt: skip
    draw.shuffle(entries)
    notes = tuple((name, " ".join(_say(kind.lore, name, value) for kind, value in told)) for name, told in entries)
    heading = draw.choice(HEADINGS)
    given = "\n".join(f"{_say(heading, name, '')} {text}" for name, text in notes)
    kind, value = draw.choice(facts)
    return Prompt(
        draw.choice(FRAMES).replace("{notes}", given), draw.choice(PLAIN), _say(draw.choice(SCENES), subject, ""),
        tuple(value for _, value in facts), _say(kind.question, subject, ""), value, notes,
    )  # fmt: skip


def _facts(about: str, count: int, draw: random.Random) -> list[tuple[Kind, str]]:
    return [(kind, draw.choice(kind.values)) for kind in draw.sample([kind for kind in KINDS if kind.about == about], count)]


def _say(template: str, subject: str, value: str) -> str:
    text = template.replace("{s}", subject).replace("{v}", value)
    return text[:1].upper() + text[1:]
