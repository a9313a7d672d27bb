"""PDF with a text layer: words in reading order, without running heads, page numbers and footnotes, paragraphs made whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pypdfium2

from lorewright.data.readers.markup import Writer, to_markdown
from lorewright.data.readers.pdf_columns import ordered
from lorewright.data.readers.pdf_furniture import drop_footnotes, drop_furniture
from lorewright.data.readers.pdf_paragraphs import body_size, paragraphs, to_blocks
from lorewright.data.readers.pdf_words import Word, page_words
from lorewright.data.readers.refusal import Reading, UnreadableError

SCANNED = 20  # letters a page has at least, on average, when it has a text layer


def read_pdf(file: Path) -> Reading:
    """The document's text as Markdown. Raises UnreadableError: encrypted, damaged, or pictures of pages without text."""
    document = _open(file)
    removed: dict[str, int] = {}
    try:
        pages, broken = _pages(document, removed)
        title = str(document.get_metadata_value("Title") or "").strip()
        count = len(document)
    finally:
        document.close()
    letters = sum(len(word.text) for page in pages for word in page)
    if letters < SCANNED * min(count, 5):
        raise UnreadableError(
            f"holds no text, only pictures of {count} page{'s' if count > 1 else ''} (a scan); put a text layer in with OCR first"
        )
    pages = drop_furniture(pages, removed)
    read = ordered(pages)
    body = body_size([block for page in read for block in page])
    blocks = [block for page in read for block in drop_footnotes(page, body, removed)]
    writer = Writer()
    for block in to_blocks(paragraphs(blocks, body), body):
        writer.add(block)
    notes = (f"{broken} of {count} pages could not be read",) if broken else ()
    return Reading(to_markdown(writer.blocks), title, removed, notes)


def _open(file: Path) -> Any:
    try:
        return pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as problem:
        if "password" in str(problem).lower() or getattr(problem, "err_code", 0) == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise UnreadableError("is encrypted; save a copy without the password") from None
        raise UnreadableError("is damaged or cut off: no PDF reader can find its pages") from None


def _pages(document: Any, removed: dict[str, int]) -> tuple[list[list[Word]], int]:
    """Each page's words, and how many pages could not be loaded."""
    pages, broken = [], 0
    for number in range(len(document)):
        try:
            page = document[number]
        except pypdfium2.PdfiumError:
            broken += 1
            continue
        pages.append(page_words(page, removed))
        page.close()
    return pages, broken
