"""The plain fallback: words without layout, by other code than the first reader's, so that one fault does not stop both."""

from __future__ import annotations

from pathlib import Path

from lorewright.data.readers.archive import opened, part
from lorewright.data.readers.markup import Writer, parse_html, to_markdown
from lorewright.data.readers.refusal import Reading, UnreadableError


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


def _whole(text: str) -> Reading:
    if not text.strip():
        raise UnreadableError("holds no text")
    return Reading(text.strip() + "\n", notes=("read by the plain fallback: page numbers and the like may be in it",))
