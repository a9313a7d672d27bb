"""Drops what stands before and after a book's text: title and copyright page, contents, notes, bibliography, index, figure lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lorewright.data.structure import SCENE_BREAK, heading

Numbered = tuple[int, str]  # (a paragraph's number in the document, its text)
Told = Callable[[int, str, str], None]  # (number, kind, text)

HEAD = 60  # paragraphs in which a copyright page is looked for
MOST = 20_000  # paragraphs of a section that are held back to be judged
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
_TITLE = re.compile(f"(?:{'|'.join(f'(?P<{kind}>{words})' for kind, words in _TITLES.items())})[.:]?", re.IGNORECASE)
_PAGES = r"\d{1,4}(?:[ ]?[-–][ ]?\d{1,4})?n?(?:, ?\d{1,4}(?:[ ]?[-–][ ]?\d{1,4})?n?)*"
_LEADERS = re.compile(r".{1,120}?(?:\.{4,}|(?:[.·…] ){3,}|…{2,})[ .·]*(?:\d{1,4}|[ivxlc]{1,7})")
_ENTRY = {
    "contents": re.compile(r".{1,120}?[\s.·…](?:\d{1,4}|[ivxlc]{1,7})"),
    "figures": re.compile(r"(?i:fig(?:ure)?|table|map|plate|illustration)s?\.? ?\d.{0,300}|.{1,160}?[\s.·…]\d{1,4}"),
    "notes": re.compile(r"(?:\[\^?\w{1,6}\]:?|\d{1,4}[.):]?|[*†‡§]{1,3})\s.{1,8000}", re.DOTALL),
    "bibliography": re.compile(r"(?:\[\d+\] ?)?[^\n]{1,120}?[.,:] [^\n]{0,300}?\b(?:1[4-9]|20)\d\d[a-z]?\b.{0,600}", re.DOTALL),
    "index": re.compile(
        rf"[^.!?;\n]{{1,90}},? {_PAGES}(?:; [^.!?;\n]{{1,90}},? {_PAGES})*[.;]?|[A-Z]"
        r"|[^.!?\n]{1,60}[.,;] [Ss]ee (?:also )?[^.!?\n]{1,80}\.?"
    ),
    "copyright": re.compile(
        r"(?:copyright\b|©|\(c\) ?\d{4}).{0,200}\b(?:1[5-9]|20)\d\d\b.{0,400}"
        r"|(?:all rights reserved|no part of this (?:book|publication|work))\b.{0,800}"
        r"|.{0,80}\be?ISBN(?:-1[03])?[: ]*[\dX -]{10,20}.{0,200}|.{0,120}\blibrary of congress (?:control|catalog).{0,300}"
        r"|this (?:book )?is a work of fiction\. .{0,800}|版权所有.{0,200}",
        re.IGNORECASE | re.DOTALL,
    ),
}  # fmt: skip
_ENDED = re.compile(r"[.!?…:。！？][\"”’'»)」』]*\Z")


@dataclass
class Matter:
    """Takes a document's paragraphs as they come and gives back those that are the book's text.

    Nothing goes by its heading alone: what stands under it must look like contents, notes, entries. Prose is never dropped.
    told: called for every paragraph that was dropped.
    """

    told: Told
    _begun: bool = False
    _kind: str = ""
    _held: list[Numbered] = field(default_factory=list)

    def feed(self, paragraphs: Sequence[Numbered]) -> list[Numbered]:
        if not self._begun:
            self._held += paragraphs
            if len(self._held) < HEAD:
                return []
            paragraphs, self._held, self._begun = self._head(self._held), [], True
        kept: list[Numbered] = []
        for item in paragraphs:
            if self._kind or len(item[1]) <= 60 or "\n" in item[1] or "...." in item[1]:
                kept += self._one(item)
            else:
                kept.append(item)
        return kept

    def end(self) -> list[Numbered]:
        """What was held back, when the document has ended."""
        kept: list[Numbered] = []
        if not self._begun:
            items, self._held, self._begun = self._head(self._held), [], True
            kept = self.feed(items)
        return kept + self._judged()

    def _one(self, item: Numbered) -> list[Numbered]:
        number, text = item
        title = text if len(text) <= 60 else ""
        named = _TITLE.fullmatch(heading(title) or title) if title else None
        if named:
            released = self._judged()
            self._kind, self._held = str(named.lastgroup), [item]
            return released
        if self._kind:
            self._held.append(item)
            over = 0 < _level(text) <= (_level(self._held[0][1]) or 6) or len(self._held) > MOST or self._prose_again()
            return self._judged() if over else []
        kind = _by_shape(text)
        if kind:
            self.told(number, kind, text)
            return []
        return [item]

    def _prose_again(self) -> bool:
        """Whether the book's text has begun again under the section's heading."""
        last = self._held[-3:] if self._kind in ("notes", "bibliography") else self._held[-1:]
        return len(last) < len(self._held) and all(_is_prose(text, self._kind) for _, text in last)

    def _judged(self) -> list[Numbered]:
        """What stays of the section held: all after its last entry, or everything when too few of it are entries."""
        held, kind, self._held, self._kind = self._held, self._kind, [], ""
        if not kind:
            return held
        entries = [bool(at) and _is_entry(text, kind) for at, (_, text) in enumerate(held)]
        stop = max((at for at, entry in enumerate(entries) if entry), default=0)
        if kind == "contents":  # the last heading before the text is the text's own
            heads = [at for at in range(1, stop + 1) if heading(held[at][1]) and not _ENTRY[kind].fullmatch(held[at][1])]
            stop = heads[-1] - 1 if heads and stop < len(held) - 1 else stop
        least = {"copyright": 1, "contents": 2}.get(kind, 3)
        count = sum(_lines_of(text) for (_, text), entry in zip(held[: stop + 1], entries, strict=False) if entry)
        if sum(entries[: stop + 1]) * 10 < stop * 7 or count < least:
            return held
        for number, text in held[: stop + 1]:
            self.told(number, kind, text)
        return held[stop + 1 :]

    def _head(self, items: list[Numbered]) -> list[Numbered]:
        """A document's first paragraphs without copyright page, and without the title page before one."""
        first = items[:HEAD]
        rights = [at for at, (_, text) in enumerate(first) if _is_rights(text)]
        if not rights:
            return items
        kept = []
        for at, (number, text) in enumerate(items):
            if at in rights:
                self.told(number, "copyright", text)
            elif at < rights[-1] and _is_stray(text):
                self.told(number, "title page" if at < rights[0] else "copyright", text)
            else:
                kept.append((number, text))
        return kept


def _level(text: str) -> int:
    """Of a Markdown heading, 1 to 6; 0 for other text. A section without one ends with any."""
    return len(text) - len(text.lstrip("#")) if text.startswith("#") else 0


def _lines_of(text: str) -> int:
    return text.count("\n") + 1


def _is_rights(text: str) -> bool:
    return len(text) < 2500 and not _SPEECH.search(text) and bool(_ENTRY["copyright"].match(text))


def _is_stray(text: str) -> bool:
    """A short line that is no sentence and no heading of the book's structure."""
    return len(text.split()) <= 15 and not _ENDED.search(text) and not heading(text) and text != SCENE_BREAK and not _SPEECH.search(text)


def _is_entry(text: str, kind: str) -> bool:
    if kind == "contents" and (heading(text) or _is_short(text)):
        return True
    lines = [text] if kind in ("notes", "bibliography", "copyright") else text.split("\n")
    return sum(bool(_ENTRY[kind].fullmatch(line.strip())) for line in lines) * 10 >= len(lines) * 8


def _is_short(text: str) -> bool:
    return all(len(line.split()) <= 10 and not _ENDED.search(line) and not _SPEECH.search(line) for line in text.split("\n"))


def _is_prose(text: str, kind: str) -> bool:
    return len(text) >= 60 and bool(_ENDED.search(text)) and not _is_entry(text, kind)


def _by_shape(text: str) -> str:
    """Contents and index need no heading to be known: lines that lead to a page by dots, and many lines that end in pages."""
    if "...." not in text and ". . ." not in text and text.count("\n") < 7:
        return ""
    lines = text.split("\n")
    if all(_LEADERS.fullmatch(line.strip()) for line in lines):
        return "contents"
    matching = sum(bool(_ENTRY["index"].fullmatch(line.strip())) for line in lines)
    return "index" if len(lines) >= 8 and matching * 10 >= len(lines) * 9 else ""
