"""XHTML and HTML to Markdown: headings, paragraphs, verse and scene breaks; nothing else of the markup is kept."""

from __future__ import annotations

import re
from html.entities import name2codepoint
from typing import Any

from lxml import etree, html

from lorewright.data.readers.refusal import UnreadableError

BREAK = "* * *"
TYPE = "{http://www.idpf.org/2007/ops}type"
_KEPT_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
# HTML has no such shorthand: <title/> would swallow the whole book.
_SELF_CLOSED = re.compile(rb"<(title|script|style|a|span|div|p|i|b|em|strong|td|li|section)\b([^<>]*)/>")
_CONTROL = bytes(sign for sign in range(32) if sign not in b"\t\n\r")
_SILENT = {"script", "style", "head", "nav", "svg", "math", "img", "audio", "video", "form", "button", "iframe", "template", "noscript"}
_BLOCKS = {
    "p", "div", "section", "article", "body", "html", "main", "header", "footer", "aside", "blockquote", "ul", "ol", "li", "dl", "dt", "dd",
    "table", "thead", "tbody", "tfoot", "tr", "figure", "figcaption", "hgroup", "address", "pre", "center", "details", "summary",
    "h1", "h2", "h3", "h4", "h5", "h6", "hr",
}  # fmt: skip
_HEADING = re.compile(r"h[1-6]$")
_INVISIBLE = re.compile("[\u2060\u00ad\ufeff\u200b-\u200f]")
_BREAK_CLASS = re.compile(
    r"scene[-_ ]?break|section[-_ ]?break|space[-_ ]?break|thought[-_ ]?break|(?:^| )(?:break|ornament|asterism)", re.IGNORECASE
)


def parse_xml(raw: bytes) -> Any:
    """The root element. Entities are never resolved: a document that declares some is refused.

    Falls back to HTML's forgiving rules when it is not well-formed. Raises UnreadableError.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = re.sub(r"\A\s*<\?xml[^>]*\?>", "", raw.decode("utf-16", errors="replace")).encode()
    if b"<!ENTITY" in raw:
        raise UnreadableError("declares XML entities, as an XML bomb does and no book needs; left alone")
    text = _ENTITY.sub(_character, raw)
    try:
        return etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False))
    except etree.XMLSyntaxError:
        return parse_html(_SELF_CLOSED.sub(rb"<\1\2></\1>", raw))


def parse_html(raw: bytes) -> Any:
    """The root element of HTML, however careless. Raises UnreadableError when nothing is in it."""
    if raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raw = raw.translate(None, _CONTROL)
    try:
        encoding = None if re.search(rb"charset", raw[:2048], re.IGNORECASE) or raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        return html.document_fromstring(raw, parser=html.HTMLParser(encoding=encoding, no_network=True, huge_tree=False))
    except (etree.ParserError, ValueError, AssertionError) as problem:
        raise UnreadableError(f"holds no text ({problem})") from None


def _character(entity: re.Match[bytes]) -> bytes:
    name = entity[1].decode()
    code = name2codepoint.get(name) if name not in _KEPT_ENTITIES else None
    return f"&#{code};".encode() if code else entity[0]


class Writer:
    """Collects Markdown blocks. skip: epub:type words whose elements are left out; what was left out is counted."""

    def __init__(self, skip: frozenset[str] = frozenset()) -> None:
        self.blocks: list[str] = []
        self.skip, self.skipped = skip, 0

    def walk(self, element: Any) -> None:
        """Adds an element's text, in reading order."""
        if not isinstance(element.tag, str):
            return
        name = _name(element)
        if name in _SILENT or self._is_skipped(element):
            return
        if name == "hr" or (name in ("p", "div") and _BREAK_CLASS.search(element.get("class") or "") and len(text_of(element)) < 12):
            self.add(BREAK)
        elif name == "hgroup" or _HEADING.match(name):
            self._heading(element, name)
        elif any(_is_block(child) for child in element):
            self._mixed(element)
        else:
            self._paragraph(self._inline(element))

    def _is_skipped(self, element: Any) -> bool:
        """Marked as something to leave out, by EPUB's own words or the roles that came after them."""
        words = {*(element.get(TYPE) or element.get("epub:type") or "").split(), (element.get("role") or "").removeprefix("doc-")}
        if words & self.skip:
            self.skipped += 1
            return True
        return element.get("hidden") is not None

    def _heading(self, element: Any, name: str) -> None:
        """A group of headings (a number and a title) is one."""
        parts = [self._inline(child) for child in element] if name == "hgroup" else [self._inline(element)]
        first = next((_name(child) for child in element if isinstance(child.tag, str)), "h2") if name == "hgroup" else name
        level = int(first[1]) if _HEADING.match(first) else 2
        text = ": ".join(" ".join(part.split()) for part in parts if part.strip())
        if text:
            self.add(f"{'#' * max(1, level - 1)} {text}")

    def _mixed(self, element: Any) -> None:
        """Blocks, and the loose text that may stand between them."""
        loose = element.text or ""
        for child in element:
            if _is_block(child):
                self._paragraph(loose)
                self.walk(child)
                loose = child.tail or ""
            else:
                loose += self._inline(child, alone=False) + (child.tail or "")
        self._paragraph(loose)

    def _paragraph(self, text: str) -> None:
        text = tidy(text)
        if text:
            self.add(f"\\{text}" if re.match(r"#{1,6} ", text) else text)

    def add(self, block: str) -> None:
        """One scene break is enough, and none opens a chapter."""
        if block == BREAK and (not self.blocks or self.blocks[-1] == BREAK or self.blocks[-1].startswith("#")):
            return
        self.blocks.append(block)

    def _inline(self, element: Any, *, alone: bool = True) -> str:
        if not isinstance(element.tag, str):
            return ""
        name = _name(element)
        if name == "br":
            return "\v"
        if name in _SILENT or (not alone and (self._is_skipped(element) or _is_note_mark(element, name))):
            return ""
        pieces = [element.text or ""]
        for child in element:
            pieces += [self._inline(child, alone=False), child.tail or ""]
        return f" {''.join(pieces)} " if name in ("td", "th") else "".join(pieces)


def _name(element: Any) -> str:
    """The tag without its namespace, as HTML has it."""
    return str(element.tag).rpartition("}")[2].lower()


def _is_note_mark(element: Any, name: str) -> bool:
    """A raised number or star that links to a note."""
    linked = (name in ("sup", "a") and any(sub.tag is not etree.Comment for sub in element)) or name == "a"
    if not linked or not {name, *(_name(sub) for sub in element.iter() if isinstance(sub.tag, str))} >= {"sup", "a"}:
        return False
    return re.fullmatch(r"[\[(]?(?:\d{1,4}|[*†‡§¶]+|[a-z])[\])]?", text_of(element)) is not None


def _is_block(element: Any) -> bool:
    """A block, or something inline that holds one (an <a> around paragraphs)."""
    if not isinstance(element.tag, str):
        return False
    return _name(element) in _BLOCKS or any(_is_block(child) for child in element)


def text_of(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def tidy(text: str) -> str:
    """One line, or the lines that <br> asked for; no invisible signs, no thin spaces."""
    lines = (" ".join(line.split()) for line in _INVISIBLE.sub("", text).split("\v"))
    return "\n".join(line for line in lines if line)


def to_markdown(blocks: list[str]) -> str:
    while blocks and blocks[-1] == BREAK:
        blocks = blocks[:-1]
    return "\n\n".join(blocks) + "\n" if blocks else ""
