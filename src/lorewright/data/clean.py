"""Makes text uniform without changing a word: line ends, Unicode form, control characters, blank lines, scene breaks."""

from __future__ import annotations

import re
import unicodedata

SCENE_BREAK = "* * *"
_BREAK_LINE = re.compile(r"^[ \t]*(?:\*[ \t]*\*[ \t]*\*[* \t]*|-[ \t]*-[ \t]*-[- \t]*|_[ \t]*_[ \t]*_[_ \t]*|#|~+|⁂)[ \t]*$", re.MULTILINE)


def clean(text: str) -> str:
    """Paragraphs separated by one blank line, scene breaks as `* * *`, NFC, no control characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) != "Cc")
    text = _BREAK_LINE.sub(f"\n\n{SCENE_BREAK}\n\n", text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def paragraphs(text: str) -> list[str]:
    """Paragraphs and scene breaks of cleaned text, in order. Lines of a hard-wrapped paragraph are joined."""
    return [block if block == SCENE_BREAK else _joined(block) for block in re.split(r"\n{2,}", text) if block.strip()]


def _joined(block: str) -> str:
    lines = block.split("\n")
    verse = len(lines) > 1 and max(map(len, lines)) < 50  # short lines were meant: a poem, a letter's head
    return "\n".join(lines) if verse else " ".join(line.strip() for line in lines)
