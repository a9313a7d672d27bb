"""Lore files to passages: found, read, split at headings and packed up to a number of words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright.data.front_matter import split_front_matter
from lorewright.data.text_file import read_text, reason
from lorewright.rag.words import count_words, pack, sentences
from lorewright.sources import all_files

CHUNKER_VERSION = 2  # goes into an index's stamp: raise it when the same files would give other passages
SUFFIXES = (".md", ".txt")
FEWEST_WORDS = 4  # a shorter sentence says nothing by itself
HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*")
CODE_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True)
class Passage:
    """A piece of lore. text: what is embedded and shown, `title > heading` first. source: path below the folder it was found in.

    heading: the headings above it, outermost first, joined by ` > `; empty where the title says it all.
    """

    text: str
    source: str
    category: str
    title: str
    heading: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next. path: its heading after those above it."""

    path: tuple[tuple[int, str], ...]
    body: str

    @property
    def level(self) -> int:
        return self.path[-1][0] if self.path else 0


def read_passages(sources: Sequence[str], chunk_words: int) -> tuple[list[Passage], list[tuple[Path, str]]]:
    """All passages of the sources, and (file, what is wrong with it) of those that could not be used in full.

    chunk_words: most words in a passage, its heading not counted. Raises LorewrightError for a source that is not there.
    """
    passages: list[Passage] = []
    problems: list[tuple[Path, str]] = []
    for root, file in all_files(sources):
        if file.suffix.lower() not in SUFFIXES:
            continue
        try:
            text = read_text(file)
        except (OSError, ValueError) as problem:
            problems.append((file, reason(problem)))
            continue
        found, problem_of_front_matter = _passages(text, file, root, chunk_words)
        passages += found
        if problem_of_front_matter:
            problems.append((file, problem_of_front_matter))
        if not found:
            problems.append((file, "holds no text"))
    return passages, problems


def searchable(passages: Sequence[Passage]) -> tuple[list[str], list[int]]:
    """What is embedded: (texts, and for each the number of the passage it belongs to).

    A question is nearer to the one sentence that answers it than to a passage that tells much else. So every passage is
    embedded whole and sentence by sentence, under its title, and is as near as its nearest part.
    """
    texts: list[str] = []
    owners: list[int] = []
    for number, passage in enumerate(passages):
        body = passage.text.partition("\n\n")[2]
        parts = [f"{passage.title}: {part}" for part in sentences(body) if count_words(part) >= FEWEST_WORDS]
        whole_too = [passage.text, *(parts if len(parts) > 1 else [])]
        texts += whole_too
        owners += [number] * len(whole_too)
    return texts, owners


def _passages(text: str, file: Path, root: Path, chunk_words: int) -> tuple[list[Passage], str]:
    matter, body, problem = split_front_matter(text)
    parts = sections(body)
    title = matter.title or next((name for part in parts for level, name in part.path if level == 1), file.stem)
    below = file.relative_to(root)
    category = matter.category or (below.parts[0] if len(below.parts) > 1 else root.name)
    passages: list[Passage] = []
    for number, part in enumerate(parts):
        names = [name for _, name in part.path]
        heading = " > ".join(names[1:] if names[:1] == [title] else names)
        label = f"{title} > {heading}" if heading else title
        pieces = [f"{label}\n\n{piece}" for piece in pack(part.body, chunk_words)]
        # A heading with nothing below it may still be a fact; one that others stand under is part of their label.
        alone = bool(part.path) and (number + 1 == len(parts) or parts[number + 1].level <= part.level)
        shown = pieces or [label] * alone
        passages += [Passage(text, below.as_posix(), category, title, heading, matter.tags) for text in shown]
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
