"""Words to find passages by: what counts as the same word, what is a name, and the question put to SQLite's full-text search."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from lorewright.rag.chunk import Passage
from lorewright.rag.words import SIGNS, SPACELESS, WIDE, sentences

# Where a word stands in a passage. Each is a column of the full-text table, and these are their weights when BM25 ranks.
COLUMNS = {"title": 3.0, "heading": 2.0, "names": 1.5, "starts": 1.0, "body": 1.0}
# Written without spaces, or with particles glued to the word: such a run is known by its pairs of signs. Behind Chinese, Japanese and
# Korean stand Thai, Lao, Burmese and Khmer.
_RUNS = rf"{WIDE}\uac00-\ud7a3{SPACELESS}"
_SIGNS = f"{SIGNS}\u200c\u200d"  # with what joins and parts letters in a word
_TOKEN = re.compile(rf"[{_RUNS}]+|[^\W_{_RUNS}](?:[^\W_{_RUNS}]|[{_SIGNS}])*")
_SIGN = re.compile(rf"[^{_SIGNS}]?[{_SIGNS}]*")
_WIDE_RUN = re.compile(rf"[{_RUNS}]")
# Accents, and the points of Hebrew and Arabic, which are written or left out.
_MARKS = re.compile(r"[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u200c\u200d]")
_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})
_OPENING = '"“‘«‹„*:(—['  # what follows one of these is written large for its place, not for being a name
# Words of questions and of grammar. In a small lore they can be rare, and then say the least while they count the most.
COMMON = frozenset(
    """a about after again all also an and any are as at be because been before being but by can could did do does doing don each ever few
    find for from get give had has have having he her here hers him his how i if in into is it its just know let like ll made make many
    me more most much my no nor not now of off on once only or other our out over own please re s same say she should so some such t
    tell than that the their them then there these they this those through to too up us ve very want was we were what when where
    which while who whom whose why will with would you your""".split()  # noqa: SIM905
)


def fold(text: str) -> str:
    """Small letters without accents: how a name is typed in a hurry. Vowel signs that are always written stay."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
    return bare.casefold().translate(_STROKES)


def terms(text: str) -> list[str]:
    """The words to search for, each once, in their order; without those that every question has."""
    found = (term for term, _ in _terms(text))
    return list(dict.fromkeys(term for term in found if term not in COMMON))


def columns(passage: Passage) -> tuple[str, ...]:
    """The passage's words by place, in the order of COLUMNS, as full-text search takes them."""
    body = passage.text.partition("\n\n")[2]
    names, starts, plain = list[str](), list[str](), list[str]()
    for sentence in sentences(body):
        for number, (term, large) in enumerate(_terms(sentence)):
            (plain if not large else starts if large == "opening" or number == 0 else names).append(term)
    above = f"{passage.heading} {' '.join(passage.tags)}"
    return (_joined(passage.title), _joined(above), " ".join(names), " ".join(starts), " ".join(plain))


def is_wide(term: str) -> bool:
    """Whether the term is of a script that has no capitals to know a name by."""
    return bool(_WIDE_RUN.match(term))


def match_any(asked: Sequence[str]) -> str:
    """The question to FTS5: passages that hold any of the terms, which consist of letters and digits."""
    return " OR ".join(f'"{term}"' for term in asked)


def _joined(text: str) -> str:
    return " ".join(term for term, _ in _terms(text))


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """(term, "" or how it is written large: `inner` or, after a quotation mark and the like, `opening`)."""
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    for match in _TOKEN.finditer(text):
        token = match[0]
        if _WIDE_RUN.match(token):
            signs = [sign for sign in _SIGN.findall(token) if sign]
            yield from (("".join(signs[at : at + 2]), "") for at in range(max(1, len(signs) - 1)))
            continue
        term = fold(token)
        if len(term) > 1 or token.isdigit():
            large = token[0].isupper()
            yield term, "" if not large else "opening" if text[match.start() - 1 : match.start()] in tuple(_OPENING) else "inner"
