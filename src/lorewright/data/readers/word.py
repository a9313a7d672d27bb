"""Word documents (.docx): paragraphs and headings as they are meant, without contents, notes, comments and deleted words."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright.data.matter_shapes import TITLE
from lorewright.data.readers.archive import opened, part
from lorewright.data.readers.markup import parse_xml, tidy
from lorewright.data.readers.refusal import Reading, UnreadableError

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # says again what stands beside it
_SILENT = {_FALLBACK, *(f"{WORD}{name}" for name in ("del", "moveFrom", "pPr", "sectPr", "tblPr", "trPr", "tcPr"))}
_SIGNS = {f"{WORD}tab": "\t", f"{WORD}cr": "\v", f"{WORD}noBreakHyphen": "-"}
_NOTE = {f"{WORD}footnoteReference", f"{WORD}endnoteReference"}
_HEADING = re.compile(r"heading (\d)")
TEXT = 9  # outline level of what is no heading, counted from 0


@dataclass
class _Found:
    """blocks: (level, text), level 0 for the document's title, 1 and more for headings, TEXT + 1 for the others."""

    styles: dict[str, str]
    blocks: list[tuple[int, str]] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)


def read_word(file: Path) -> Reading:
    """The document's text. Raises UnreadableError: damaged, a bomb, or nothing in it."""
    with opened(file) as archive:
        root = parse_xml(part(archive, "word/document.xml"))
        found = _Found(_styles(archive))
        title = _title(archive)
    body = root.find(f"{WORD}body")
    if body is not None:
        _walk(body, found)
    if not found.blocks:
        raise UnreadableError("holds no text")
    least = min((level for level, _ in found.blocks if level <= TEXT), default=0)
    return Reading("\n\n".join(_block(level - least, text) for level, text in found.blocks) + "\n", title, found.removed)


def _block(depth: int, text: str) -> str:
    """depth: of a heading below the highest one; more than six for other text."""
    if depth <= 6:
        return f"{'#' * min(6, depth + 1)} {' '.join(text.split())}"
    return f"\\{text}" if re.match(r"#{1,6} \w", text) else text


def _walk(element: Any, found: _Found) -> None:
    for child in element:
        if child.tag == f"{WORD}p":
            _paragraph(child, found)
        elif child.tag not in _SILENT and isinstance(child.tag, str):
            _walk(child, found)


def _paragraph(element: Any, found: _Found) -> None:
    """The paragraph's text, and then that of the boxes which hang on it."""
    boxes: list[Any] = []
    pieces: list[str] = []
    _inline(element, pieces, boxes, found)
    text = tidy("".join(pieces))
    level, style = _level(element, found.styles)
    if text and style.startswith("toc "):
        above = TITLE.fullmatch(found.blocks[-1][1]) if found.blocks and len(found.blocks[-1][1]) < 60 else None
        if above and above.lastgroup == "contents":  # whatever style their title was given
            found.blocks.pop()
        found.removed["contents lines"] = found.removed.get("contents lines", 0) + 1
    elif text:
        found.blocks.append((level, text))
    for box in boxes:
        _walk(box, found)


def _inline(element: Any, pieces: list[str], boxes: list[Any], found: _Found) -> None:
    for child in element:
        if child.tag == f"{WORD}t":
            pieces.append(child.text or "")
        elif child.tag in _SIGNS:
            pieces.append(_SIGNS[child.tag])
        elif child.tag == f"{WORD}br":
            pieces.append("\v" if child.get(f"{WORD}type") in (None, "textWrapping") else " ")
        elif child.tag in _NOTE:
            found.removed["notes and marks"] = found.removed.get("notes and marks", 0) + 1
        elif child.tag == f"{WORD}txbxContent":
            boxes.append(child)
        elif isinstance(child.tag, str) and child.tag not in _SILENT and not _is_hidden(child):
            _inline(child, pieces, boxes, found)


def _is_hidden(run: Any) -> bool:
    sign = run.find(f"{WORD}rPr/{WORD}vanish")
    return sign is not None and sign.get(f"{WORD}val") not in ("0", "false")


def _level(paragraph: Any, styles: dict[str, str]) -> tuple[int, str]:
    """(level, the style's name in lower case) of a paragraph."""
    outline = paragraph.find(f"{WORD}pPr/{WORD}outlineLvl")
    sign = paragraph.find(f"{WORD}pPr/{WORD}pStyle")
    given = str(sign.get(f"{WORD}val") or "") if sign is not None else ""
    style = styles.get(given, re.sub(r"(?<=[A-Za-z])(?=\d)", " ", given)).lower()
    named = _HEADING.fullmatch(style)
    if style in ("title", "toc heading"):
        return 0, "toc heading" if style.startswith("toc") else style
    if named:
        return int(named[1]), style
    if outline is not None and (outline.get(f"{WORD}val") or "").isdecimal():
        return min(int(outline.get(f"{WORD}val")), TEXT) + 1, style
    return TEXT + 1, style


def _styles(archive: zipfile.ZipFile) -> dict[str, str]:
    """Style ids, which differ by language, to names, which do not. A style that is based on a heading counts as that heading."""
    if "word/styles.xml" not in archive.namelist():
        return {}
    named: dict[str, str] = {}
    based: dict[str, str] = {}
    for style in parse_xml(part(archive, "word/styles.xml")).iter(f"{WORD}style"):
        key, name, base = style.get(f"{WORD}styleId") or "", style.find(f"{WORD}name"), style.find(f"{WORD}basedOn")
        named[key] = (name.get(f"{WORD}val") or "").lower() if name is not None else key.lower()
        based[key] = (base.get(f"{WORD}val") or "") if base is not None else ""
    return {key: _own_or_base(key, named, based) for key in named}


def _own_or_base(key: str, named: dict[str, str], based: dict[str, str]) -> str:
    at = key
    for _ in range(10):
        if _HEADING.fullmatch(named.get(at, "")) or named.get(at) == "title" or named.get(key, "").startswith("toc"):
            break
        at = based.get(at, "")
    return named[key] if named[key].startswith("toc") or at not in named else named[at]


def _title(archive: zipfile.ZipFile) -> str:
    if "docProps/core.xml" not in archive.namelist():
        return ""
    found = parse_xml(part(archive, "docProps/core.xml")).find("{http://purl.org/dc/elements/1.1/}title")
    return " ".join((found.text or "").split()) if found is not None else ""
