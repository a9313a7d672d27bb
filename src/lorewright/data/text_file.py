"""A text file's content, whichever common way it was saved; or why it is not text."""

from __future__ import annotations

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


def reason(problem: OSError | ValueError) -> str:
    """What read_text raised, in words."""
    return str(getattr(problem, "strerror", None) or problem)
