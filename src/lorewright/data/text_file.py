"""A text file's content, whichever common way it was saved; or why it is not text."""

from __future__ import annotations

import codecs
import os
from pathlib import Path


def read_text(file: Path) -> str:
    """UTF-8, or UTF-16 with its mark; line ends as `\\n`.

    Raises ValueError, with a reason for the reader, when it is not text; OSError when it cannot be read.
    """
    raw = file.read_bytes()
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = raw.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"is not UTF-8 text (byte {problem.start}); save it as UTF-8") from None
    if "\0" in text:
        raise ValueError("holds zero bytes, so it is not text; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(file: Path) -> str:
    """How open() should read it: by the mark at its start, else UTF-8."""
    with open(file, "rb") as raw:
        return "utf-16" if raw.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def reason(problem: OSError | ValueError) -> str:
    """What read_text raised, in words."""
    return str(getattr(problem, "strerror", None) or problem)


PIECE = 1 << 20  # characters held at a time


def copy_text(file: Path, target: Path) -> int:
    """Writes a text file's content as UTF-8 with `\\n` line ends, a piece at a time. Returns the number of characters.

    0 when nothing but white space is in it. Raises as read_text does, and then leaves no target.
    """
    with open(file, "rb") as opened:
        utf16 = opened.read(2) in (b"\xff\xfe", b"\xfe\xff")
    count, blank = 0, True
    try:
        with open(file, encoding="utf-16" if utf16 else "utf-8-sig") as source, open(target, "w", encoding="utf-8") as out:
            while piece := source.read(PIECE):
                if "\0" in piece:
                    raise ValueError("holds zero bytes, so it is not text; save it as UTF-8")
                count, blank = count + len(piece), blank and piece.isspace()
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
    except ValueError as problem:
        target.unlink(missing_ok=True)
        raise ValueError(_bad_byte(file) if isinstance(problem, UnicodeDecodeError) and not utf16 else _not_text(problem)) from None
    return 0 if blank else count


def _not_text(problem: ValueError) -> str:
    return "is not UTF-16 text, though it is marked so; save it as UTF-8" if isinstance(problem, UnicodeDecodeError) else str(problem)


def _bad_byte(file: Path) -> str:
    """Where UTF-8 ends, for the reader to find."""
    decoder, read = codecs.getincrementaldecoder("utf-8")(), 0
    with open(file, "rb") as opened:
        while piece := opened.read(PIECE):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as problem:
                return f"is not UTF-8 text (byte {read - held + problem.start}); save it as UTF-8"
            read += len(piece)
    return f"is not UTF-8 text (byte {read}: it ends in the middle of a sign); save it as UTF-8"
