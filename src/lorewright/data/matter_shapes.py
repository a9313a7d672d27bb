"""What contents, notes, a bibliography, an index and a copyright page look like, line by line."""

from __future__ import annotations

import re

from lorewright.data.structure import SCENE_BREAK, heading

_SPEECH = re.compile('[“”«»„「]|"')
_TITLES = {
    "contents": r"(?:table of )?contents|inhalt(?:sverzeichnis)?|table des mati[eè]res|[ií]ndice general|sommario|содержание|оглавление"
    r"|目\s*[录錄次]",
    "figures": r"(?:list of )?(?:figures|illustrations|tables|maps|plates)|abbildungsverzeichnis|插图目录",
    "notes": r"(?:end|foot)?notes|notes (?:and|&) references|notes to the text|anmerkungen|notas|примечания|注[释釋]|註釋",
    "bibliography": r"(?:select(?:ed)? )?bibliography|references|works cited|sources|further reading|literatur(?:verzeichnis)?"
    r"|bibliographie|bibliograf[ií]a|参考文献",
    "index": r"(?:general |subject |name )?index|index of (?:names|subjects|persons|places)|register|sachregister|索引",
    "copyright": r"copyright(?: page| notice)?|imprint|colophon|impressum|版权(?:页|信息)?",
}
TITLE = re.compile(
    r"(?:(?:\d{1,2}|[IVX]{1,5})[.:]? )?" f"(?:{'|'.join(f'(?P<{kind}>{words})' for kind, words in _TITLES.items())})[.:]?", re.IGNORECASE
)
_SEE = re.compile(r"[.;,:]? ?\(?[Ss]ee (?:also )?[^!?\n]{1,200}$")
_TO_PAGE = re.compile(r"[^.!?\d]{0,90}\d[^.!?]*(?<=[ ,\d–-])\d{1,4}n?|[^.!?\d]{0,90}[ ,]\d{1,4}n?")
FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\]:")
_LEADERS = re.compile(r".{1,120}?(?:\.{4,}|(?:[.·…] ){3,}|…{2,})[ .·]*(?:\d{1,4}|[ivxlc]{1,7})")
_ENTRY = {
    "contents": re.compile(r".{1,120}?[\s.·…](?:\d{1,4}|[ivxlc]{1,7})"),
    "figures": re.compile(r"(?i:fig(?:ure)?|table|map|plate|illustration)s?\.? ?\d.{0,300}|.{1,160}?[\s.·…]\d{1,4}"),
    "notes": re.compile(r"(?:\[\^?\w{1,6}\]:?|\d{1,4}[.):]?|[*†‡§]{1,3})\s.{1,8000}", re.DOTALL),
    "bibliography": re.compile(r"(?:\[\d+\] ?)?[^\n]{1,120}?[.,:] [^\n]{0,300}?\b(?:1[4-9]|20)\d\d[a-z]?\b.{0,600}", re.DOTALL),
    "copyright": re.compile(
        r"(?:copyright(?=[ :,]*(?:©|\(c\)|\d{4}|by\b|is held|holder))|©|\(c\) ?\d{4}).{0,200}\b(?:1[5-9]|20)\d\d\b.{0,400}"
        r"|(?:all rights reserved|no part of this (?:book|publication|work))\b.{0,800}"
        r"|.{0,80}\be?ISBN(?:-1[03])?[: ]*[\dX -]{10,20}.{0,200}|.{0,120}\blibrary of congress (?:control|catalog).{0,300}"
        r"|this (?:book )?is a work of fiction\. .{0,800}|版权所有.{0,200}",
        re.IGNORECASE | re.DOTALL,
    ),
}  # fmt: skip
_ENDED = re.compile(r"[.!?…:。！？][\"”’'»)」』]*\Z")


def level(text: str) -> int:
    """Of a Markdown heading, 1 to 6; 0 for other text. A section without one ends with any."""
    return len(text) - len(text.lstrip("#")) if text.startswith("#") else 0


def lines_of(text: str) -> int:
    return text.count("\n") + 1


def is_rights(text: str) -> bool:
    return len(text) < 2500 and not _SPEECH.search(text) and bool(_ENTRY["copyright"].match(text))


def is_stray(text: str) -> bool:
    """A short line that is no sentence and no heading of the book's structure, or several."""
    lines = text.split("\n")
    return all(len(line.split()) <= 15 and not _ENDED.search(line) for line in lines) and not (
        heading(text) or text == SCENE_BREAK or _SPEECH.search(text)
    )


def leads(line: str) -> bool:
    """Whether a line of contents leads to a page or, in a page of the web, to a place."""
    return bool(_ENTRY["contents"].fullmatch(line) or "](#" in line)


def is_entry(text: str, kind: str) -> bool:
    if kind == "contents" and (heading(text) or is_short(text)):
        return True
    lines = [text] if kind in ("notes", "bibliography", "copyright") else text.split("\n")
    matches = _is_index_line if kind == "index" else _ENTRY[kind].fullmatch
    return sum(bool(matches(line.strip())) for line in lines) * 10 >= len(lines) * 8


def _is_index_line(line: str) -> bool:
    """Whether a line of an index leads to pages or to another entry, or is the letter above some."""
    if re.fullmatch("[A-Z]", line):
        return True
    rest = _SEE.sub("", line)
    if rest != line and len(rest) <= 60 and not re.search("[.!?]", rest):
        return True
    parts = rest.rstrip(".;").split(";")
    return parts[0][:1] != "" and not parts[0][:1].isdigit() and all(_TO_PAGE.fullmatch(part) for part in parts)


def is_short(text: str) -> bool:
    return all(len(line.split()) <= 10 and not _ENDED.search(line) and not _SPEECH.search(line) for line in text.split("\n"))


def is_prose(text: str, kind: str) -> bool:
    return len(text) >= 60 and bool(_ENDED.search(text)) and not (kind and is_entry(text, kind))


def by_shape(text: str) -> str:
    """Contents and index need no heading to be known: lines that lead to a page by dots, and many lines that end in pages."""
    if text.startswith("[^") and FOOTNOTE.match(text):
        return "notes"
    if "...." not in text and ". . ." not in text and text.count("\n") < 7:
        return ""
    lines = text.split("\n")
    if all(_LEADERS.fullmatch(line.strip()) for line in lines):
        return "contents"
    matching = sum(_is_index_line(line.strip()) for line in lines)
    return "index" if len(lines) >= 8 and matching * 10 >= len(lines) * 9 else ""
