"""What extraction has left for prepare: documents as Markdown or plain text, opened one at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lorewright.data.extracted import LIST
from lorewright.data.front_matter import split_front_matter

# A sentence over a rule is the end of a scene.
_UNDERLINED = re.compile(
    r"^(?=\S)(.*[^\s.!?…,;:\"'”’»])[ \t]*\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE
)  # a sentence over a rule is a scene's end
_GLUED = re.compile(r"(?:\A|(?<=\n\n))(#{1,6})(?=[A-Z0-9][^#\n]{0,80}(?:\n\n|\Z))")  # `#Chapter One`, as many type it
_NAMED = re.compile(r"^(#{1,6} [^\n]*?)[ \t#]*\{[#.][^{}\n]*\}[ \t]*$", re.MULTILINE)
_PICTURE = re.compile(r"!\[[^\]\n]{0,300}\]\([^()\n]{1,500}\)")
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?!#)[^()\s]{1,500}(?: \"[^\"\n]*\")?\)")
_BREAK_TAG = re.compile(r"<br ?/?>[ \t]*\n?", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(?=#{1,6} )", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One manuscript. name: its path below the source it came from. file: its text. size: of the file in bytes."""

    name: str
    file: Path
    size: int
    _title: str

    def opened(self) -> tuple[str, str | Path]:
        """(title, text or the file with it): plain text stays on disk, however large; Markdown is read.

        The title is the document's own or its first heading, else ''. Front matter is left out; a block between two `---` that is
        none is a scene, and stays. Headings stand as `#` lines.
        """
        if self.file.suffix != ".md":
            return self._title, self.file
        text = self.file.read_text(encoding="utf-8")
        front, rest, problem = split_front_matter(text)
        body = _plain(_UNDERLINED.sub(r"# \1", text if problem else rest))
        first = _HEADING.search(body)
        return self._title or front.title or (first[1].strip() if first else ""), _ESCAPED.sub("", body)


def _plain(text: str) -> str:
    """Markdown whose links are their words and whose headings stand as every reader writes them; pictures are no text."""
    text = _NAMED.sub(r"\1", _GLUED.sub(r"\1 ", text))
    if "](" in text:
        text = _LINK.sub(r"\1", _PICTURE.sub("", text))
    return _BREAK_TAG.sub("\n", text) if "<br" in text.lower() else text


def documents(folder: Path) -> list[Document]:
    """The documents of an extraction's folder, in the order of the sources; the second of a name is called `NAME (2)`."""
    found: list[Document] = []
    times = Counter[str]()
    for item in json.loads((folder / LIST).read_text(encoding="utf-8")):
        name, file = item["name"], folder / item["file"]
        times[name] += 1
        found.append(Document(f"{name} ({times[name]})" if times[name] > 1 else name, file, file.stat().st_size, item["title"]))
    return found
