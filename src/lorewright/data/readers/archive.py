"""Reads parts of a zipped document without trusting what the archive says of itself."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lorewright.data.readers.refusal import UnreadableError

MOST = 1 << 30  # bytes a whole document may unpack to
PART = 64 << 20  # bytes one part of text may unpack to
RATIO = 200  # times its packed size; text reaches about 10
SMALL = 10 << 20  # below this the ratio is not looked at


@contextmanager
def opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, checked against bombs. Raises UnreadableError when it is damaged, encrypted or would unpack to too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            _check(archive)
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as problem:
        said = " ".join(str(problem).split())[:100]
        raise UnreadableError(f"is damaged or cut off{f' ({said})' if said else ''}") from None
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # a place before the file's beginning
            raise
        raise UnreadableError("is damaged or cut off") from None


def _check(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    size, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if size > MOST or (size > SMALL and size > RATIO * max(1, packed)):
        raise UnreadableError(f"would unpack from {_shown(packed)} to {_shown(size)}: a zip bomb, left alone")
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableError("is encrypted; save a copy without the password")


def part(archive: zipfile.ZipFile, name: str) -> bytes:
    """One part's bytes. Raises UnreadableError when it is not there or larger than text can be."""
    try:
        with archive.open(name) as stream:
            raw = stream.read(PART + 1)
    except KeyError:
        raise UnreadableError(f"is incomplete: it names {name}, which is not inside") from None
    if len(raw) > PART:
        raise UnreadableError(f"holds a part ({name}) that unpacks to more than {_shown(PART)}: a zip bomb, left alone")
    return raw


def _shown(size: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size = round(size / 1000)
    return f"{size} GB"
