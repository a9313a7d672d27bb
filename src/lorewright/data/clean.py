"""Makes text uniform without changing a word: line ends, Unicode form, control characters, blank lines, scene breaks."""

from __future__ import annotations

import re
import unicodedata

from lorewright.data.structure import SCENE_BREAK

__all__ = ["SCENE_BREAK", "clean", "controls", "odd_signs", "paragraphs"]

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff]")  # soft hyphens and stray byte-order marks too
_PLAIN = bytes(byte for byte in range(256) if (byte >= 0x20 and byte != 0x7F) or byte in b"\t\n")
_RARE = ("\xad", "\ufeff", "\u2028", "\u2029", *map(chr, range(0x80, 0xA0)))
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028]")
_BREAK_LINE = re.compile(
    r"\n[ \t]*(?:\*[ \t]*\*[ \t]*\*[* \t]*|-[ \t]*-[ \t]*-[- \t]*|_[ \t]*_[ \t]*_[_ \t]*|#(?:[ \t]*#){0,5}"
    r"|~[~ \t]*|[⁂❦❧☙※§◆◇](?:[ \t]*[⁂❦❧☙※§◆◇]){0,4}|＊[＊ 　]*|[*•][ \t]*[•*][* •\t]*)[ \t]*(?=\n)"
)
_HEADING_LINE = re.compile(r"\n(#{1,6}[ \t]+[^\n]+)(?=\n)")
_TRAILING = re.compile(r"(?<![ \t])[ \t]++\n")
_OWN_LINE = re.compile(r"(?:[-*+•][ \t]|\d{1,3}[.)][ \t]|>|\||\t|\u3000|```)")
_LISTED = re.compile(r"(?:\.[ .]{2,}|\s)\d{1,4}$")
_UNSPACED = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\u0e00-\u0eff]")  # scripts that put no space between words
VERSE = 50  # characters; lines that are all shorter were meant
WRAP = 120  # characters; a line that is longer was not wrapped by an editor, so each line is a paragraph


def clean(text: str, odd: bool | None = None) -> str:
    """Paragraphs separated by one blank line, scene breaks as `* * *`, headings alone, NFC, no control characters.

    odd: what odd_signs() said of the text, where it was asked before.
    """
    if odd_signs(text) if odd is None else odd:
        text = _CONTROL.sub("", _LINE_ENDS.sub("\n", text.replace("\u2029", "\n\n")))
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    text = f"\n{text}\n"
    for _ in range(3):  # the usual case, quickly
        if " \n" not in text:
            break
        text = text.replace(" \n", "\n")
    if " \n" in text or ("\t" in text and "\t\n" in text):
        text = _TRAILING.sub("\n", text)
    text = _BREAK_LINE.sub(f"\n\n{SCENE_BREAK}\n", text)
    if "#" in text:
        text = _HEADING_LINE.sub(r"\n\n\1\n", text)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n")


def controls(text: str) -> str:
    """The control characters that clean() takes out of a text."""
    return "".join(_CONTROL.findall(text))


def odd_signs(text: str) -> bool:
    """Whether a text holds control characters or line ends of other kinds; quick for the many that do not."""
    if text.encode("utf-8", "replace").translate(None, _PLAIN):
        return True
    return not text.isascii() and any(sign in text for sign in _RARE)


def paragraphs(text: str) -> list[str]:
    """Paragraphs, headings and scene breaks of cleaned text, in order. Lines of a hard-wrapped paragraph are joined."""
    found: list[str] = []
    for block in text.split("\n\n"):
        if "\n" in block:
            found += _of_lines(block)
        elif block:
            found.append(block.strip())
    return [paragraph for paragraph in found if paragraph]


def _of_lines(block: str) -> list[str]:
    """Verse, lists and tables keep their lines; a wrapped paragraph becomes one; unwrapped lines are paragraphs."""
    lines = [line.rstrip() for line in block.split("\n") if line.strip()]
    longest = max(map(len, lines), default=0)
    if longest > WRAP:
        return [line.strip() for line in lines]
    if lines and all(line[0] in "\u3000\t" for line in lines):
        return [line.strip() for line in lines]
    if longest < VERSE or sum(bool(_LISTED.search(line)) for line in lines) * 2 > len(lines):
        return ["\n".join(lines).strip()]
    joined = lines[0].strip()
    for line in lines[1:]:
        joined += ("\n" if _OWN_LINE.match(line) else _joint(joined, line.strip())) + line.strip()
    return [joined]


def _joint(before: str, after: str) -> str:
    return "" if _UNSPACED.match(before[-1:]) and _UNSPACED.match(after[:1]) else " "
