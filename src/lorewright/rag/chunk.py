"""The text of a lore file to passages: split at headings and packed up to a number of words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright.data.front_matter import split_front_matter
from lorewright.rag.words import count_words, pack_overlapping, sentences

CHUNKER_VERSION = 4  # goes into an index's stamp: raise it when the same files would give other passages, or other words
FEWEST_WORDS = 4  # a shorter sentence says nothing by itself
HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*")
CODE_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True)
class Passage:
    """A piece of lore. text: what is embedded and shown, `title > heading` first. source: path below the folder it was found in.

    heading: the headings above it, outermost first, joined by ` > `; empty where the title says it all.
    section: the number of its parent, the text below one heading, within its file: passages of one section follow each other.
    """

    text: str
    source: str
    category: str
    title: str
    heading: str
    tags: tuple[str, ...] = ()
    section: int = 0


@dataclass(frozen=True)
class Cut:
    """How long a passage may be. words: its heading not counted. overlap: words of the passage before that it begins with."""

    words: int
    overlap: int = 0


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next. path: its heading after those above it."""

    path: tuple[tuple[int, str], ...]
    body: str

    @property
    def level(self) -> int:
        return self.path[-1][0] if self.path else 0


def searchable(passages: Sequence[Passage]) -> tuple[list[str], list[int]]:
    """What is embedded: (texts, and for each the number of the passage it belongs to).

    A question is nearer to the one sentence that answers it than to a passage that tells much else. So every passage is
    embedded whole and sentence by sentence, under its title, and is as near as its nearest part.
    """
    texts: list[str] = []
    owners: list[int] = []
    shown: list[str] = []  # parts of the passage before: an overlap is searched once
    for number, passage in enumerate(passages):
        body = passage.text.partition("\n\n")[2]
        parts = [f"{passage.title}: {part}" for part in sentences(body) if count_words(part) >= FEWEST_WORDS]
        new = [part for part in parts if part not in shown] if number and _same_section(passage, passages[number - 1]) else parts
        whole_too = [passage.text, *(new if len(parts) > 1 else [])]
        texts += whole_too
        owners += [number] * len(whole_too)
        shown = parts
    return texts, owners


def _same_section(one: Passage, other: Passage) -> bool:
    return (one.source, one.section) == (other.source, other.section)


def passages_of(text: str, file: Path, root: Path, cut: Cut, title: str = "") -> tuple[list[Passage], str]:
    """(the passages of a file's text, what is wrong with its front matter or "").

    text: Markdown or plain. file, root: where it lies and the folder it was found in. title: the document's own, where it has one.
    """
    matter, body, problem = split_front_matter(text)
    parts = sections(body)
    title = title or matter.title or next((name for part in parts for level, name in part.path if level == 1), file.stem)
    below = file.relative_to(root)
    category = matter.category or (below.parts[0] if len(below.parts) > 1 else root.name)
    passages: list[Passage] = []
    for number, part in enumerate(parts):
        names = [name for _, name in part.path]
        heading = " > ".join(names[1:] if names[:1] == [title] else names)
        label = f"{title} > {heading}" if heading else title
        pieces = [f"{label}\n\n{piece}" for piece in pack_overlapping(part.body, cut.words, cut.overlap)]
        # A heading with nothing below it may still be a fact; one that others stand under is part of their label.
        alone = bool(part.path) and (number + 1 == len(parts) or parts[number + 1].level <= part.level)
        shown = pieces or [label] * alone
        passages += [Passage(text, below.as_posix(), category, title, heading, matter.tags, number) for text in shown]
    return passages, problem


def sections(text: str) -> list[Section]:
    """The text split at its `#` headings; what stands before the first has an empty path. Code blocks have no headings."""
    return list(_sections(text))


def _sections(text: str) -> Iterator[Section]:
    path: tuple[tuple[int, str], ...] = ()
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        marker = CODE_FENCE.match(line)
        if marker:
            fence = marker[1] if not fence else "" if marker[1].startswith(fence) else fence
        heading = None if fence else HEADING.fullmatch(line)
        if not heading:
            lines.append(line)
            continue
        yield Section(path, "\n".join(lines))
        level = len(heading[1])
        path = (*((above, name) for above, name in path if above < level), (level, heading[2]))
        lines = []
    yield Section(path, "\n".join(lines))
