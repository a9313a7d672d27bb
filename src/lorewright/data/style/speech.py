"""What is spoken and what is told: the quotation marks of many languages, and dialogue that dashes open."""

from __future__ import annotations

import re

_DOUBLE = r"„[^„“”\n]*(?:[“”]|$)|“[^”\n]*(?:”|$)|\"[^\"\n]*(?:\"|$)|「[^」\n]*(?:」|$)|『[^』\n]*(?:』|$)"
_GUILLEMETS = r"«[^»\n]*(?:»|$)"
_INVERTED = r"»[^«\n]*(?:«|$)"
_SINGLE = r"(?<!\w)‘(?:[^’\n]|’(?=\w))*(?:’|$)"
_STRAIGHT = r"(?<![\w'])'(?=[A-ZÀ-Þ…])(?:[^'\n]|'(?=\w))*(?:'|$)"
_DASH = r"^[ \t]*[—–―-](?!-)[^\n]*$"
_OPENS_DOUBLE = re.compile(r"[„“«「]|(?<!\w)\"(?=\w)")
_OPENS_SINGLE = re.compile(r"(?<!\w)‘(?=\w)")
_OPENS_STRAIGHT = re.compile(r"(?<![\w'])'(?=[A-ZÀ-Þ])")
_OPENS_DASH = re.compile(r"^[ \t]*[—–―-](?!-)[ \t]*\w", re.MULTILINE)
_REMARK = re.compile(r"\s[—–―](?=\w)|\s[—–―]\s|(?<=\w)[—–―](?=[.,;:!?…])")


def spoken_parts(text: str) -> re.Pattern[str]:
    """The pattern that finds speech in a text whose paragraphs are lines.

    A manuscript keeps to one convention: the marks that open most often tell it. Speech that is not closed ends with its
    paragraph, as where the next one goes on speaking.
    """
    double = len(_OPENS_DOUBLE.findall(text))
    rivals = {
        _SINGLE: len(_OPENS_SINGLE.findall(text)), _STRAIGHT: len(_OPENS_STRAIGHT.findall(text)), _DASH: len(_OPENS_DASH.findall(text)),
    }  # fmt: skip
    rival, times = max(rivals.items(), key=lambda pair: pair[1])
    chosen = rival if times > double else f"{_DOUBLE}|{_INVERTED if _inverted(text) else _GUILLEMETS}"
    return re.compile(chosen, re.MULTILINE)


def _inverted(text: str) -> bool:
    """German books point the guillemets inwards."""
    return len(re.findall(r"»(?=\w)", text)) > len(re.findall(r"«(?=\w)", text))


def told_and_spoken(text: str) -> tuple[str, str]:
    """(narration, speech) of a text whose paragraphs are lines. In «— Yes —she said—. No.» the middle part is narration."""
    pattern = spoken_parts(text)
    spoken: list[str] = []

    def take(found: re.Match[str]) -> str:
        said, told = _without_remarks(found[0]) if pattern.pattern == _DASH else (found[0], " ")
        spoken.append(said)
        return told

    told = pattern.sub(take, text)
    return told, "\n".join(spoken)


def _without_remarks(line: str) -> tuple[str, str]:
    parts = _REMARK.split(f" {line.strip()[1:].strip()}")
    return " ".join(parts[::2]), f" {' '.join(parts[1::2])} "
