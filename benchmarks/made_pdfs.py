"""PDFs made from a known text by several generators, with all that stands in a reader's way; used by tests and benchmark."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
from fpdf import FPDF
from reportlab.lib.enums import TA_JUSTIFY, TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"
HEAD = "Tales of the Late Coast"
NOTE_WORD = "Zettelkasten"
SOURCES = (
    "the harbour gazetteer",
    "a private letter",
    "an almanac now lost",
    "two witnesses, who disagree",
    "his own ledger",
    "the tide tables",
)


def note(page: int) -> str:
    """A page's footnote: another one on every page."""
    return f"{page} {NOTE_WORD}, after {SOURCES[page % 6]} and {SOURCES[page * 5 // 6 % 6]}{', as quoted' * (page % 4)}."


def texts(folder: Path) -> list[str]:
    """Paragraphs of the bundled prose; headings begin with `# `."""
    found: list[str] = []
    for file in sorted(folder.glob("*.md")):
        blocks = re.split(r"\n{2,}", file.read_text(encoding="utf-8"))
        found += [" ".join(block.split()) for block in blocks if block.strip() and not re.fullmatch(r"[*\s-]+", block.strip())]
    return [re.sub(r"[_*]", "", block) for block in found]


def softened(text: str) -> str:
    """Soft hyphens where a long word may break."""
    return re.sub(r"[^\W\d_]{8,}", lambda word: "\u00ad".join(re.findall(r".{4,}?(?=.{4})|.+", word[0])), text)


def ligated(text: str) -> str:
    return text.replace("fi", "ﬁ").replace("fl", "ﬂ")


def reportlab_pdf(file: Path, blocks: list[str], *, columns: int = 1, justified: bool = True, spaced: bool = False) -> None:
    """Flowing text in frames; running head, page number, a footnote a page with its mark in the text."""
    pdfmetrics.registerFont(TTFont("Serif", str(FONT)))
    width, height = A4
    gutter, margin = 14, 60
    each = (width - 2 * margin - (columns - 1) * gutter) / columns
    frames = [
        Frame(margin + n * (each + gutter), 110, each, height - 190, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
        for n in range(columns)
    ]

    def furniture(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setFont("Serif", 8)
        canvas.drawString(margin, height - 45, HEAD)
        canvas.drawCentredString(width / 2, 40, f"{document.page}")
        canvas.drawString(margin, 80, note(document.page))

    style = ParagraphStyle(
        "body", fontName="Serif", fontSize=10, leading=13, alignment=TA_JUSTIFY if justified else TA_LEFT, embeddedHyphenation=1,
        firstLineIndent=0 if spaced else 14, spaceAfter=7 if spaced else 0,
    )  # fmt: skip
    title = ParagraphStyle("title", fontName="Serif", fontSize=15, leading=19, spaceBefore=14, spaceAfter=8)
    story = []
    for number, block in enumerate(blocks):
        if block.startswith("#"):
            story.append(Paragraph(html.escape(block.lstrip("# ")), title))
        else:
            mark = f'<super size="6">{number % 9 + 1}</super>' if number % 7 == 0 else ""
            story.append(Paragraph(html.escape(ligated(softened(block))) + mark, style))
    document = BaseDocTemplate(str(file), pagesize=A4)
    document.addPageTemplates(PageTemplate(frames=frames, onPage=furniture))
    document.build(story)


class _Book(FPDF):
    def header(self) -> None:
        self.set_font("Serif", size=8)
        self.cell(0, 6, f"{HEAD}    {self.page_no()}" if self.page_no() % 2 else f"{self.page_no()}    {HEAD}", align="C")
        self.ln(14)

    def footer(self) -> None:
        self.set_y(-22)
        self.set_font("Serif", size=7)
        self.cell(0, 4, note(self.page_no()))
        self.set_y(-12)
        self.cell(0, 4, f"- {self.page_no()} -", align="C")


def fpdf_pdf(file: Path, blocks: list[str], *, columns: int = 1, justified: bool = True, spaced: bool = True) -> None:
    """The same by fpdf2, paragraphs parted by space."""
    book = _Book()
    book.add_font("Serif", fname=FONT)
    book.set_auto_page_break(True, margin=28)
    book.add_page()
    book.set_font("Serif", size=10)
    align = "J" if justified else "L"
    with book.text_columns(ncols=columns, gutter=7, text_align=align, line_height=1.25) as flow:
        for block in blocks:
            heading = block.startswith("#")
            book.set_font("Serif", size=14 if heading else 10)
            with flow.paragraph(top_margin=4 if heading else 0, bottom_margin=3 if heading or spaced else 0) as paragraph:
                paragraph.write(block.lstrip("# ") if heading else softened(block))
    book.output(str(file))


def rowwise_pdf(file: Path, blocks: list[str], *, columns: int = 2) -> None:
    """Two columns written line by line across the page, as some converters do; every word put in its place by itself."""
    pdfmetrics.registerFont(TTFont("Serif", str(FONT)))
    canvas, (width, height) = Canvas(str(file), pagesize=A4), A4
    each = (width - 120 - (columns - 1) * 16) / columns
    lines: list[tuple[float, list[str]]] = []
    for block in blocks:
        lines += _set(block.lstrip("# "), each)
    rows = int((height - 170) / 13)
    for start in range(0, len(lines), rows * columns):
        page = lines[start : start + rows * columns]
        canvas.setFont("Serif", 10)
        canvas.drawString(60, height - 40, HEAD)
        for row in range(rows):
            for column in range(columns):
                if row + column * rows < len(page):
                    indent, words = page[row + column * rows]
                    x = 60 + column * (each + 16) + indent
                    for word in words:
                        canvas.drawString(x, height - 80 - 13 * row, word)
                        x += pdfmetrics.stringWidth(f"{word} ", "Serif", 10)
        canvas.drawCentredString(width / 2, 40, str(canvas.getPageNumber()))
        canvas.showPage()
    canvas.save()


def _set(block: str, width: float) -> list[tuple[float, list[str]]]:
    """(indent, words) of each line of a paragraph."""
    lines: list[tuple[float, list[str]]] = [(12.0, [])]
    used = 12.0
    for word in block.split():
        wide = pdfmetrics.stringWidth(word, "Serif", 10)
        if used + wide > width and lines[-1][1]:
            lines.append((0.0, []))
            used = 0.0
        lines[-1][1].append(word)
        used += wide + pdfmetrics.stringWidth(" ", "Serif", 10)
    return lines


Maker = Callable[[Path, list[str]], None]
MAKERS: dict[str, Maker] = {
    "reportlab, one column": lambda file, blocks: reportlab_pdf(file, blocks),
    "reportlab, one column, ragged, spaced": lambda file, blocks: reportlab_pdf(file, blocks, justified=False, spaced=True),
    "reportlab, two columns": lambda file, blocks: reportlab_pdf(file, blocks, columns=2),
    "reportlab, three columns, ragged": lambda file, blocks: reportlab_pdf(file, blocks, columns=3, justified=False),
    "fpdf2, one column": lambda file, blocks: fpdf_pdf(file, blocks),
    "fpdf2, two columns": lambda file, blocks: fpdf_pdf(file, blocks, columns=2),
    "fpdf2, two columns, ragged": lambda file, blocks: fpdf_pdf(file, blocks, columns=2, justified=False),
    "word by word across two columns": lambda file, blocks: rowwise_pdf(file, blocks),
}
