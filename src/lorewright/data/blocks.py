"""A manuscript as blocks of whole paragraphs, so that a text of any size is worked on in a few megabytes of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lorewright.data.text_file import encoding_of

SIZE = 1 << 19
COMMENT = 20_000  # characters; an HTML comment that is longer is text that somebody forgot to close
_BLANK = re.compile(r"\n[ \t]*\n")


def blocks(source: str | Path, size: int = SIZE) -> Iterator[str]:
    """Parts of about size characters whose sum is the text; each but the last ends where a paragraph does, if there is such a place.

    source: the text, or the file that holds it (line ends become `\\n`). Where a text has no blank line a block ends with a
    line, else with a word, else anywhere. Raises OSError, ValueError when the file is no text.
    """
    rest = ""
    for part in _parts(source, size):
        rest += part
        while len(rest) >= 2 * size:
            at = _end(rest, size, 2 * size)
            yield rest[:at]
            rest = rest[at:]
    if rest:
        yield rest


def _parts(source: str | Path, size: int) -> Iterator[str]:
    if isinstance(source, str):
        yield from (source[at : at + size] for at in range(0, len(source), size))
        return
    with open(source, encoding=encoding_of(source), newline=None) as file:
        while part := file.read(size):
            yield part


def _end(text: str, low: int, high: int) -> int:
    """Where to cut between low and high."""
    blank = text.rfind("\n\n", low, high)
    if blank < 0:
        blank = max((match.start() for match in _BLANK.finditer(text, low, high)), default=-1)
    at = next((found for found in (blank, text.rfind("\n", low, high), text.rfind(" ", low, high)) if found >= 0), high)
    opened = text.rfind("<!--", max(low, at - COMMENT), at)
    return opened if opened > text.rfind("-->", max(low, at - COMMENT), at) else at
