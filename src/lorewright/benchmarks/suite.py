"""A suite for the lore: questions by kind, and what is to be found for each. YAML; all its mistakes are told at once, with their lines."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.errors import RecipeError
from lorewright.rag.chunk import Passage
from lorewright.recipe.check import file_order
from lorewright.recipe.source import KeyPath, Kind, Source, read_source

UNMATCHED = "unmatched"  # the kind of questions that no lore answers: nothing may be found for them
WANTS = ("holds", "source", "heading")
SUITE = Kind("suite", "docs/lore.md shows how a suite is written", "docs/lore.md shows how a suite is written")


@dataclass(frozen=True)
class Question:
    """line: where it stands in the suite. A passage is right when it has all that is given of: one of the texts `holds`, in small or
    large letters; `source`, a path, a folder ending in `/` or a pattern with `*`; `heading`, one of those above it, or its title.
    """

    kind: str
    ask: str
    line: int
    holds: tuple[str, ...] = ()
    source: str = ""
    heading: str = ""

    @property
    def unmatched(self) -> bool:
        return self.kind == UNMATCHED

    def is_met_by(self, passage: Passage) -> bool:
        text, source = _plain(passage.text), f"{self.source}*" if self.source.endswith("/") else self.source
        headings = [passage.title, passage.heading, *passage.heading.split(" > ")]
        return (
            not self.unmatched
            and (not self.holds or any(_plain(held) in text for held in self.holds))
            and (not source or passage.source == source or fnmatch.fnmatchcase(passage.source, source))
            and (not self.heading or self.heading.casefold() in [heading.casefold() for heading in headings])
        )

    @property
    def wanted(self) -> str:
        """What is to be found, in words."""
        held = " or ".join(f"“{text}”" for text in self.holds)
        place = " · ".join(part for part in (self.source, self.heading) if part)
        return f"{place or 'a passage'} with {held}" if held else place or "nothing"


def _plain(text: str) -> str:
    """In small letters, whatever white space and line breaks stand between the words."""
    return " ".join(text.casefold().split())


def read_suite(path: Path, shown: str) -> list[Question]:
    """The questions in the order of the file. shown: how the user named it.

    Raises LorewrightError where it cannot be read at all, RecipeError with one line a problem otherwise.
    """
    source = read_source(path, shown, SUITE)
    found = [f"{_place(source, at)}: {text}" for at, text in _problems(source.values)] + source.problems
    if found:
        raise RecipeError(sorted(found, key=file_order))
    return [
        _question(kind, given, int(_place(source, (kind, number)).rpartition(":")[2]))
        for kind, entries in source.values.items()
        for number, given in enumerate(entries)
    ]


def _place(source: Source, at: KeyPath) -> str:
    return source.marks[at].text


def _question(kind: str, given: Any, line: int) -> Question:
    if isinstance(given, str):
        return Question(kind, given, line)
    held = given.get("holds", ())
    return Question(
        kind, given["ask"], line, (held,) if isinstance(held, str) else tuple(held), given.get("source", ""), given.get("heading", "")
    )


def _problems(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for kind, entries in values.items():
        if not isinstance(entries, list) or not entries:
            yield (kind,), f"{kind} must be a list of questions, one a line after a dash"
            continue
        for number, given in enumerate(entries):
            problems = _unmatched_problems(given) if kind == UNMATCHED else _question_problems(given)
            yield from (((kind, number, *at), text) for at, text in problems)


def _unmatched_problems(given: Any) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(given, str) or not given.strip():
        yield (), f"a question under {UNMATCHED}: is plain text, since nothing is to be found for it"


def _question_problems(given: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(given, str):
        yield (), f"what is to be found? Write {{ask: …, source: …}}, or put it under {UNMATCHED}: if no lore answers it"
        return
    if not isinstance(given, dict):
        yield (), "expected a question: {ask: …} with any of holds, source, heading"
        return
    for key, value in given.items():
        if key not in ("ask", *WANTS):
            near = difflib.get_close_matches(key, ("ask", *WANTS), 1)
            yield (key,), f"unknown key {key}; {f'did you mean {near[0]}?' if near else 'a question has ask, holds, source and heading'}"
        elif not (_is_text(value) or (key == "holds" and isinstance(value, list) and value and all(map(_is_text, value)))):
            yield (key,), f"{key} must be text{' or a list of texts' if key == 'holds' else ''}; put quotes around what is none"
    if "ask" not in given:
        yield (), "ask is missing: the question"
    if not any(key in given for key in WANTS):
        yield (), f"what is to be found? Give source, heading or holds, or put it under {UNMATCHED}: if no lore answers it"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
