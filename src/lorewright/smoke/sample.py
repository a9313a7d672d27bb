"""A few of many source files: of every kind some, and of a size that says something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from lorewright.sources import source_files

FILES = 16
# An empty file shows nothing and a giant one takes the time of many: those nearest to a long chapter are taken first.
USUAL = 64_000


@dataclass(frozen=True)
class Sample:
    """sources: what to read, as the recipe has it where everything is taken. bytes: of the files taken; all_bytes: of all."""

    sources: tuple[str, ...]
    files: int
    all_files: int
    bytes: int
    all_bytes: int

    @property
    def times(self) -> float:
        """How many times as much the whole is."""
        return self.all_bytes / self.bytes if self.bytes else 1.0

    def said(self, what: str) -> str:
        """For example `16 of 900 manuscripts`."""
        return f"all {what}" if self.files == self.all_files else f"{self.files} of {self.all_files:,} {what}"


def sample(sources: Sequence[str], most: int, suffixes: Sequence[str] = ()) -> Sample:
    """At most FILES files of about `most` bytes together, but one at least, in turn of every source and file ending.

    suffixes: only these endings count; all when empty. A file is never cut: a single large one is taken whole.
    """
    kinds = _by_kind(sources, suffixes)
    sizes = {file: file.stat().st_size for files in kinds for file in files}
    total = sum(sizes.values())
    if len(sizes) <= FILES and total <= most:
        return Sample(tuple(sources), len(sizes), len(sizes), total, total)
    chosen: list[Path] = []
    for file in _in_turn([sorted(files, key=lambda file: abs(sizes[file] - USUAL)) for files in kinds]):
        if len(chosen) == FILES or (chosen and sum(sizes[one] for one in chosen) + sizes[file] > most):
            break
        chosen.append(file)
    return Sample(tuple(map(str, chosen)), len(chosen), len(sizes), sum(sizes[file] for file in chosen), total)


def _by_kind(sources: Sequence[str], suffixes: Sequence[str]) -> list[list[Path]]:
    """The files of each source and ending; one that two sources mean counts once."""
    kinds: dict[tuple[int, str], list[Path]] = defaultdict(list)
    known: set[Path] = set()
    for number, source in enumerate(sources):
        for _, file in source_files(source):
            if file not in known and (not suffixes or file.suffix.lower() in suffixes):
                kinds[number, file.suffix.lower()].append(file)
                known.add(file)
    return list(kinds.values())


def _in_turn(kinds: Sequence[Sequence[Path]]) -> Iterator[Path]:
    for turn in zip_longest(*kinds):
        yield from (file for file in turn if file is not None)
