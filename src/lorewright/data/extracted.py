"""The folder that extraction leaves: a file for every document, what happened to each source, and the list in reading order.

documents/NAME.md          the documents (`.txt` where the source is plain text)
documents.json             [{"name", "title", "file"}], in the order of the sources
extracted.jsonl            a line for every source as soon as it is done: the record by which a later run goes on
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORD = "extracted.jsonl"
LIST = "documents.json"
FOLDER = "documents"


@dataclass(frozen=True)
class Entry:
    """One source's line in the record.

    sha256: of its content. asked: what the recipe wanted of it (engine and limits). file: below the folder, "" when refused.
    """

    name: str
    source: str
    sha256: str
    asked: dict[str, Any]
    engine: str
    seconds: float
    file: str = ""
    title: str = ""
    characters: int = 0
    removed: dict[str, int] | None = None
    notes: tuple[str, ...] = ()
    refused: str = ""


class Record:
    """Appends entries, each on disk before the next document is begun."""

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / RECORD, "ab")
        if self._file.tell() and not _ends_whole(folder / RECORD):
            self._file.write(b"\n")  # a line that a kill cut off stays alone

    def add(self, entry: Entry) -> None:
        self._file.write((json.dumps(vars(entry), ensure_ascii=False) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _ends_whole(file: Path) -> bool:
    with open(file, "rb") as opened:
        opened.seek(-1, os.SEEK_END)
        return opened.read(1) == b"\n"


def entries(folder: Path) -> Iterator[Entry]:
    """What a folder's record says; lines that a kill cut off are passed over."""
    try:
        lines = (folder / RECORD).read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            values = json.loads(line)
            yield Entry(**values | {"notes": tuple(values["notes"])})
        except (ValueError, TypeError, KeyError):
            continue


def reusable(folders: Iterable[Path]) -> dict[tuple[str, str], tuple[Path, Entry]]:
    """(sha256, name's suffix) -> (folder, entry) of documents that an earlier run, finished or cut off, has made already.

    folders: where to look; the first that has a document counts. The first folder's refusals count too: they were made
    under the same settings.
    """
    found: dict[tuple[str, str], tuple[Path, Entry]] = {}
    for number, folder in enumerate(folders):
        for entry in entries(folder):
            if (entry.file and (folder / entry.file).is_file()) or (entry.refused and number == 0):
                found.setdefault((entry.sha256, Path(entry.name).suffix.lower()), (folder, entry))
    return found
