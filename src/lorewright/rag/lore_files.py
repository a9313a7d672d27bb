"""The files of a lore and their passages: Markdown and text are read here, all else as extraction reads manuscripts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright.data.documents import Document
from lorewright.data.extract import Work, extract
from lorewright.data.extracted import Entry
from lorewright.data.readers.kind import TEXT
from lorewright.data.text_file import read_text, reason
from lorewright.plan import LORE
from lorewright.rag.chunk import Cut, Passage, passages_of
from lorewright.recipe import Extract
from lorewright.sources import all_files

# As data.extract stands by default; a lore has no section of its own for it.
READING = Extract(engine="auto", timeout=300, memory=4096, min_length=0, device="auto")


@dataclass(frozen=True)
class LoreFile:
    """root: the folder it was found in. key: what the index knows it by; another place, name or content is another key."""

    root: Path
    file: Path
    key: str


@dataclass(frozen=True)
class ReadFile:
    """What came of one. problem: what is wrong with it, with or without passages; empty when nothing is."""

    lore: LoreFile
    passages: list[Passage]
    problem: str


def lore_files(sources: Sequence[str], content: Callable[[Path], str]) -> tuple[list[LoreFile], list[tuple[Path, str]]]:
    """(every file that may hold lore, those that cannot be opened with the reason). content: gives a file's hash.

    Two files of the same name below equally named folders that hold the same are one. Raises LorewrightError for a source
    that is not there.
    """
    found: dict[str, LoreFile] = {}
    problems: list[tuple[Path, str]] = []
    for root, file in all_files(sources):
        if file.suffix.lower() not in LORE:
            continue
        if not _speakable(file):
            problems.append((file, "its name is not UTF-8; rename it"))
            continue
        try:
            known_by = f"{root.name}\0{file.relative_to(root).as_posix()}\0{content(file)}"
        except OSError as problem:
            problems.append((file, reason(problem)))
            continue
        key = hashlib.sha256(known_by.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        found.setdefault(key, LoreFile(root, file, key))
    return list(found.values()), problems


def _speakable(file: Path) -> bool:
    """Whether a path can stand in a database, a page or a header."""
    try:
        return bool(str(file).encode())
    except UnicodeEncodeError:
        return False


def read_files(files: Sequence[LoreFile], cut: Cut, work: Work) -> Iterator[ReadFile]:
    """The passages of each file; one that cannot be read has none, and the reason. work: where extraction puts its documents."""
    other = [lore for lore in files if lore.file.suffix.lower() not in TEXT]
    entries = extract([str(lore.file) for lore in other], work) if other else []
    extracted = dict(zip((lore.key for lore in other), entries, strict=True))
    for lore in files:
        entry = extracted.get(lore.key)
        try:
            text, title = _extracted(entry, work.folder) if entry else (read_text(lore.file), "")
        except (OSError, ValueError) as problem:
            yield ReadFile(lore, [], reason(problem))
            continue
        passages, problem_of_matter = passages_of(text, lore.file, lore.root, cut, title)
        yield ReadFile(lore, passages, problem_of_matter if passages else "holds no text")


def _extracted(entry: Entry, folder: Path) -> tuple[str, str]:
    """(text, title) of what extraction has made. Raises ValueError with the reason where it made nothing."""
    if entry.refused:
        raise ValueError(entry.refused)
    file = folder / entry.file
    title, text = Document(entry.name, file, file.stat().st_size, entry.title).opened()
    return text if isinstance(text, str) else text.read_text(encoding="utf-8"), title
