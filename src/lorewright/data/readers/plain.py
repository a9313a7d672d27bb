"""The plain fallback: words without layout, by other code than the first reader's, so that one fault does not stop both."""

from __future__ import annotations

from pathlib import Path

from lorewright.data.readers.archive import opened, part
from lorewright.data.readers.markup import Writer, parse_html, parse_xml, to_markdown
from lorewright.data.readers.refusal import Reading, UnreadableError

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def plain_pdf(file: Path) -> Reading:
    """Page after page, each line as it stands in the file."""
    from pypdf import PdfReader

    pages = [page.extract_text() or "" for page in PdfReader(file).pages]
    return _whole("\n\n".join(pages))


def plain_epub(file: Path) -> Reading:
    """Every document of text in the archive, in the order of their names."""
    writer = Writer()
    with opened(file) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith((".xhtml", ".html", ".htm")):
                writer.walk(parse_html(part(archive, name)))
    return _whole(to_markdown(writer.blocks))


def plain_docx(file: Path) -> Reading:
    """The paragraphs of the document's own part; headings by their style."""
    with opened(file) as archive:
        root = parse_xml(part(archive, "word/document.xml"))
    blocks = []
    for paragraph in root.iter(f"{WORD}p"):
        text = "".join(run.text or "" if run.tag == f"{WORD}t" else " " for run in paragraph.iter(f"{WORD}t", f"{WORD}tab", f"{WORD}br"))
        style = paragraph.find(f"{WORD}pPr/{WORD}pStyle")
        heading = style is not None and (style.get(f"{WORD}val") or "").lower().startswith(("heading", "title"))
        blocks.append(f"# {text.strip()}" if heading and text.strip() else text.strip())
    return _whole("\n\n".join(block for block in blocks if block))


def _whole(text: str) -> Reading:
    if not text.strip():
        raise UnreadableError("holds no text")
    return Reading(text.strip() + "\n", notes=("read by the plain fallback: page numbers and the like may be in it",))
