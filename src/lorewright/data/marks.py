"""Takes out what a writer left for the desk: TODO and FIXME, bracketed notes, HTML comments, tracked changes."""

from __future__ import annotations

import re
from collections.abc import Callable

from lorewright.data.blocks import COMMENT

Told = Callable[[int, str], None]  # (paragraphs before it, what was taken out)

_WORDS = r"(?:TODO|FIXME|XXX|TK|TBD)"
# What follows such a word where no colon does: in Spanish TODO is a word like any other.
_ORDERS = "add|change|check|cut|decide|describe|expand|find|finish|fix|look|make|more|move|name|need|needs|remove|research|rewrite|write"
_BARE_WORDS = ("TODO", "FIXME", "XXX", "TK:")
_COMMENT = re.compile(rf"<!--.{{0,{COMMENT}}}?-->[ \t]*", re.DOTALL)
_BRACKETED = re.compile(
    rf"\[(?:{_WORDS}\b|\?{{2,}}|(?i:(?:author'?s? |editor'?s? |ed\. )?(?:note|notes|comment|query|reminder)(?: to self)?[ \t]*:))"
    r"[^\[\]]{0,1000}\][ \t]*"
)
# A line that begins with such a word is a note to its end; within a line the note ends with its sentence.
_BARE = re.compile(
    rf"^(?:[-*+][ \t]+)?(?:(?:TODO|FIXME|XXX)(?:\([^()\n]{{0,40}}\))?(?::|[ \t]+(?:{_ORDERS})\b)|TK:)[^\n]*|^(?:TODO|FIXME)$"
    r"|\b(?:TODO|FIXME|XXX|TK)(?:\([^()\n]{0,40}\))?:[^\n]*?(?:[.!?…](?=\s|$)[ \t]*|(?=\n)|$)",
    re.MULTILINE,
)
_NOTE_MARK = re.compile(r"(?<=\S)\[\^[^\]\s]{1,40}\](?!:)")
_TRACKED = re.compile(
    r"\{--(?P<gone>.{0,5000}?)--\}|\{>>(?P<said>.{0,5000}?)<<\}|\{~~(?P<old>.{0,5000}?)~>(?P<new>.{0,5000}?)~~\}"
    r"|\{\+\+(?P<added>.{0,5000}?)\+\+\}|\{==(?P<shown>.{0,5000}?)==\}",
    re.DOTALL,
)


def without_marks(text: str, told: Told) -> str:
    """The text as it was meant. Of a tracked change what was added stays and what was deleted goes.

    text: cleaned. told: called for every mark that was taken out.
    """
    if "<" in text and "<!--" in text:
        text = _taken(_COMMENT, text, told)
    if "[" in text:
        text = _taken(_BRACKETED, text, told)
    if "{" in text:
        text = _taken(_TRACKED, text, told)
    if any(word in text for word in _BARE_WORDS):
        text = _taken(_BARE, text, told)
    return text


def without_note_marks(text: str, told: Told) -> str:
    """The text without Markdown's marks of footnotes, `[^1]`; the notes themselves keep theirs."""
    return _taken(_NOTE_MARK, text, told)


def _taken(pattern: re.Pattern[str], text: str, told: Told) -> str:
    def one(match: re.Match[str]) -> str:
        told(text.count("\n\n", 0, match.start()), match[0].strip())
        kept = "".join(value for name, value in match.groupdict().items() if value and name in ("new", "added", "shown"))
        parts_words = match[0][-1:] in (" ", "\t") and not text[match.start() - 1 : match.start()].isspace()
        return kept or (" " if parts_words else "")

    return pattern.sub(one, text)
