"""EPUB: the documents of the spine that are the book itself, by `epub:type` where it stands, by guide and name where not."""

from __future__ import annotations

import posixpath
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lorewright.data.readers.archive import opened, part
from lorewright.data.readers.markup import TYPE, Writer, parse_xml, text_of, to_markdown
from lorewright.data.readers.refusal import Reading, UnreadableError

# epub:type words of what is not the book's own text.
NOT_BODY = frozenset(
    [
        "cover",
        "titlepage",
        "halftitlepage",
        "halftitle",
        "imprint",
        "colophon",
        "copyright-page",
        "toc",
        "toc-brief",
        "landmarks",
        "page-list",
        "loi",
        "lot",
        "loa",
        "lov",
        "endnotes",
        "endnote",
        "rearnotes",
        "rearnote",
        "footnotes",
        "footnote",
        "noteref",
        "backlink",
        "pagebreak",
        "bibliography",
        "index",
        "glossary",
        "dedication",
        "acknowledgments",
        "contributors",
        "other-credits",
        "seriespage",
        "keywords",
        "errata",
        "revision-history",
        "credit",
        "credits",
    ]
)
OUTSIDE = {"frontmatter", "backmatter"}
# The same in the words of EPUB 2's guide, and of file names and ids where a book says nothing of its parts.
GUIDE = {"cover", "title-page", "toc", "index", "glossary", "acknowledgements", "bibliography", "colophon", "copyright-page", "dedication",
         "loi", "lot", "notes"}  # fmt: skip
_NAMED = re.compile(
    r"(?:^|[^a-z])(?:cover|title-?_?page|half-?title(?:-?page)?|imprint|(?:un)?copyright(?:-?page)?|colophon|toc|nav|contents|(?:end|foot)-?notes?"
    r"|notes|bibliography|index|glossary|dedication|acknowledge?ments?|about-?_?(?:the-?_?)?author|also-?_?by|newsletter|advert\w*"
    r"|pg-?header|pg-?footer)(?:$|[^a-z])"
)
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


@dataclass(frozen=True)
class _Spine:
    """title: the book's. parts: (path in the archive, what the guide calls it or "") in reading order."""

    title: str
    parts: list[tuple[str, str]]


def read_epub(file: Path) -> Reading:
    """The body of the book. Raises UnreadableError: damaged, encrypted, a bomb, or nothing but title pages in it."""
    with opened(file) as archive:
        _check_rights(archive)
        spine = _spine(archive)
        typed: list[tuple[str, Any, set[str], str]] = []
        for path, guide in spine.parts:
            body = _body(parse_xml(part(archive, path)))
            if body is not None:
                typed.append((path, body, _types(body), guide))
    says = any(words & {"bodymatter", *OUTSIDE} for _, _, words, _ in typed)
    writer, dropped = Writer(NOT_BODY), 0
    for path, body, words, guide in typed:
        if _is_body(path, words, guide, says):
            writer.walk(body)
        else:
            dropped += 1
    text = to_markdown(writer.blocks)
    if not text.strip():
        raise UnreadableError("holds no text in its body: only pictures, or front and back matter")
    return Reading(text, spine.title, {"front and back matter": dropped, "notes and marks": writer.skipped})


def _is_body(path: str, words: set[str], guide: str, says: bool) -> bool:
    """Whether a spine document is the book's own text. says: whether this book's documents tell their part themselves."""
    if words & NOT_BODY or guide in GUIDE:
        return False
    if says:
        return not words & OUTSIDE or bool(words & {"bodymatter"})
    return not _NAMED.search(posixpath.splitext(posixpath.basename(path))[0].lower())


def _types(body: Any) -> set[str]:
    """epub:type words of the body, and of the one element that holds all of it."""
    words = set((body.get(TYPE) or body.get("epub:type") or "").split())
    children = [child for child in body if isinstance(child.tag, str)]
    if len(children) == 1:
        words |= set((children[0].get(TYPE) or children[0].get("epub:type") or "").split())
        words.add((children[0].get("role") or "").removeprefix("doc-"))
    return words - {""}


def _body(root: Any) -> Any:
    return next((element for element in root.iter() if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == "body"), None)


def _check_rights(archive: zipfile.ZipFile) -> None:
    if "META-INF/encryption.xml" not in archive.namelist():
        return
    ways = re.findall(rb"Algorithm=[\"']([^\"']+)", part(archive, "META-INF/encryption.xml"))
    if any(way.decode(errors="replace") not in _FONTS for way in ways):
        raise UnreadableError("is encrypted (DRM); use a copy without it")


def _spine(archive: zipfile.ZipFile) -> _Spine:
    container = parse_xml(part(archive, "META-INF/container.xml"))
    root = next((element.get("full-path") for element in _all(container, "rootfile")), None)
    if not root:
        raise UnreadableError("is incomplete: its container names no package")
    package = parse_xml(part(archive, root))
    folder = posixpath.dirname(root)
    items = {item.get("id"): item for item in _all(package, "item")}
    guide = {_path(folder, entry.get("href") or ""): entry.get("type") or "" for entry in _all(package, "reference")}
    titles = [text_of(title) for title in _all(package, "title")]
    parts = []
    for entry in _all(package, "itemref"):
        item = items.get(entry.get("idref"))
        if item is None or "nav" in (item.get("properties") or "").split() or "html" not in (item.get("media-type") or "html"):
            continue
        path = _path(folder, item.get("href") or "")
        parts.append((path, guide.get(path, "")))
    if not parts:
        raise UnreadableError("is incomplete: its spine names no text")
    return _Spine(titles[0] if titles else "", parts)


def _all(root: Any, name: str) -> list[Any]:
    return [element for element in root.iter() if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == name]


def _path(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(urlsplit(href).path)))
