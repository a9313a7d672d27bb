"""A whole book as PDF: title, copyright, dedication, contents, chapters, notes, bibliography and index, as printers set them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, NextPageTemplate, PageBreak, PageTemplate, Paragraph, Spacer
from reportlab.platypus.tableofcontents import TableOfContents

CHAPTERS = ("The Bell", "Chapter 2", "Ice", "Chapter 4: Oranges")
RIGHTS = (
    "Copyright © 2019 by A. N. Author",
    "All rights reserved. No part of this publication may be reproduced, stored in a retrieval system, or transmitted in any form.",
    "Quay Press, 12 Harbour Street, Northport",
    "First published 2019",
    "ISBN 978-3-16-148410-0",
)
WORDS = ("anchor", "ballast", "bell", "buoy", "cable", "cargo", "compass", "current", "dory", "ferry", "fog", "gale", "harbour", "hawser")


def _style(name: str, size: float, **more: object) -> ParagraphStyle:
    return ParagraphStyle(name, fontName="Times-Roman", fontSize=size, leading=size * 1.25, **more)


BODY = _style("body", 10.5, firstLineIndent=14, alignment=TA_JUSTIFY)
TITLE = _style("title", 17, spaceBefore=30, spaceAfter=20, alignment=TA_CENTER)
CENTRED = _style("centred", 10.5, alignment=TA_CENTER)
SMALL = _style("small", 8.5)


class _Book(BaseDocTemplate):
    def afterFlowable(self, flowable: Flowable) -> None:
        if isinstance(flowable, Paragraph) and flowable.style.name == "title":
            self.notify("TOCEntry", (0, flowable.getPlainText(), self.page))


def pdf_book(file: Path, prose: Sequence[str], *, dots: bool = True, size: float = 9.0) -> Path:
    """prose: the paragraphs of the chapters. dots: contents lead to their pages by dots, else by space. size: of notes and index."""
    width, height = A5

    def furniture(canvas: Canvas, document: BaseDocTemplate) -> None:
        if document.page > 4:
            canvas.setFont("Times-Roman", 8.5)
            canvas.drawCentredString(width / 2, height - 32, "A. N. Author" if document.page % 2 else "The Salt Ledger")
            canvas.drawString(width - 60 if document.page % 2 else 50, 28, str(document.page))

    half = (width - 110) / 2
    one = [Frame(48, 50, width - 96, height - 100)]
    two = [Frame(48 + n * (half + 14), 50, half, height - 100) for n in (0, 1)]
    document = _Book(str(file), pagesize=A5, title="The Salt Ledger")
    document.addPageTemplates([PageTemplate(name, frames, onPage=furniture) for name, frames in (("one", one), ("two", two))])
    document.multiBuild([*_front(dots), *_chapters(prose), *_back(size)])
    return file


def _front(dots: bool) -> list[Flowable]:
    contents = TableOfContents(dotsMinLevel=0 if dots else -1)
    contents.levelStyles = [_style("entry", 10.5)]
    return [
        Spacer(1, 120), Paragraph("The Salt Ledger", _style("name", 26, alignment=TA_CENTER)), Paragraph("a novel", CENTRED),
        Paragraph("A. N. Author", CENTRED), Paragraph("Quay Press", CENTRED), PageBreak(),
        *(Paragraph(text, SMALL) for text in RIGHTS), PageBreak(),
        Paragraph("Contents", _style("head", 17, spaceAfter=12)), contents, PageBreak(),
    ]  # fmt: skip


def _chapters(prose: Sequence[str]) -> list[Flowable]:
    each = len(prose) // len(CHAPTERS) + 1
    made: list[Flowable] = []
    for number, name in enumerate(CHAPTERS):
        made.append(Paragraph(name, TITLE))
        for at, text in enumerate(prose[number * each : (number + 1) * each]):
            made.append(Paragraph(html.escape(text) + ("<super size=6>3</super>" if at % 6 == 5 else ""), BODY))
        made.append(PageBreak())
    return made


def _back(size: float) -> list[Flowable]:
    entry = _style("back", size, leftIndent=12, firstLineIndent=-12)
    notes = [
        f"{n}. On this see Zettel, Ropes and Rules, p. {n * 7}, and the letter of {1800 + n} in the archive, which says another thing."
        for n in range(1, 30)
    ]
    books = [
        text
        for n in range(9)
        for text in (
            f"Zettel, Ada. Ropes and Rules, volume {n}. Northport: Quay Press, {1980 + n}.",
            f"Brandt, P. “Ice on the Sound.” Zettel Papers {n} ({1950 + n}): 33–60. Reprinted with the pilot's letters and a map of the coast.",
        )
    ]
    index = ["Page numbers in italics refer to the pictures of the Zettel collection, and bold ones to the maps."]
    for number, word in enumerate(WORDS):
        index.append(f"{word}, {number + 3}, {number + 20}–{number + 24}; see also Zettel")
        index += [f"Zettel {word} of the {n}th watch: and the sea, {n}; in winter, {n + 4}–{n + 6}, {n + 30}" for n in range(3)]
    return [
        Paragraph("Notes", TITLE), Paragraph("The Bell", _style("part", 14)), *(Paragraph(text, entry) for text in notes[:15]),
        Paragraph("Chapter 2", _style("part", 14)), *(Paragraph(text, entry) for text in notes[15:]), PageBreak(),
        Paragraph("Bibliography", TITLE), *(Paragraph(text, entry) for text in books), NextPageTemplate("two"), PageBreak(),
        Paragraph("Index", TITLE), *(Paragraph(text, entry) for text in index),
    ]  # fmt: skip
