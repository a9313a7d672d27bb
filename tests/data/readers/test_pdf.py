"""PDF: the words in the right order, and nothing of what stands beside the text."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from benchmarks.made_pdfs import HEAD, MAKERS, NOTE_WORD, texts
from lorewright.data.readers.pdf import read_pdf
from lorewright.data.readers.pdf_columns import columns
from lorewright.data.readers.pdf_words import Word
from tests.documents import pdf

WORD = re.compile(r"[^\W_]+(?:[’'-][^\W_]+)*")


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return texts(Path(__file__).parents[3] / "fine-tuning" / "data" / "raw")[:160]


@pytest.mark.req("P1", "S1")
@pytest.mark.parametrize("name", MAKERS)
def test_words_come_in_order_and_nothing_else_does(name: str, blocks: list[str], tmp_path: Path) -> None:
    """Columns, running heads, page numbers, footnotes, soft hyphens and ligatures, by several generators."""
    MAKERS[name](tmp_path / "made.pdf", blocks)
    reading = read_pdf(tmp_path / "made.pdf")
    source = WORD.findall(" ".join(block.lstrip("# ") for block in blocks))
    got = WORD.findall(reading.text)
    same = sum(block.size for block in difflib.SequenceMatcher(None, source, got, autojunk=False).get_matching_blocks())
    assert same / len(source) > 0.995
    assert len(got) - same < 0.005 * len(source)
    assert (HEAD in reading.text, NOTE_WORD in reading.text, "ﬁ" in reading.text) == (False, False, False)
    assert reading.removed and reading.removed["page numbers"] >= 3
    paragraphs = {" ".join(text.lstrip("# ").split()) for text in reading.text.split("\n\n")}
    whole = [block for block in blocks if " ".join(block.lstrip("# ").split()) in paragraphs]
    assert len(whole) / len(blocks) > 0.97, "paragraphs are whole, also across pages"
    if "reportlab" in name:
        assert {f"# {block.lstrip('# ')}" for block in blocks if block.startswith("#")} <= set(reading.text.strip().split("\n\n"))


@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=5), st.floats(0, 550), st.integers(0, 60)), max_size=80))
def test_ordering_loses_no_word_wherever_words_stand(places: list[tuple[str, float, int]]) -> None:
    words = [Word(text, x, x + 6 * len(text), 12.0 * row, 10.0) for text, x, row in places]
    ordered = [word for block in columns(words) for line in block for word in line.words]
    assert sorted(map(id, ordered)) == sorted(map(id, words))


def test_verse_and_lists_keep_their_lines_and_small_type_is_no_footnote(tmp_path: Path) -> None:
    prose = [
        "The ferry came in an hour late and nobody on the quay asked why, for",
        "they had long since known. Marta counted all of the crates and said:",
    ]
    verse = ["Three spoons, a bell", "without a tongue, and", "my mother's gloves", "lie in the sea"]
    points = ["• One crate of oranges", "• Two crates of tar, which nobody in that harbour had ordered at all"]
    made = pdf(tmp_path / "a.pdf", [[*prose, "", *verse, "", *prose, *points]])
    text = read_pdf(made).text
    assert "\n".join(verse) in text
    assert all(f"\n\n{point}\n" in text for point in points)
    canvas = Canvas(str(tmp_path / "b.pdf"))
    for size, y, line in (
        (17, 700, "Appendix"),
        *((8.5, 680 - 11 * n, f"{n} crates were landed on the {n}th, and nobody knew whose they were") for n in range(30)),
    ):
        canvas.setFont("Times-Roman", size)
        canvas.drawString(60, y, line)
    canvas.showPage()
    for _ in range(9):
        canvas.setFont("Times-Roman", 11)
        for n in range(40):
            canvas.drawString(60, 700 - 14 * n, "The ferry came in an hour late and nobody on the quay asked why that was")
        canvas.showPage()
    canvas.save()
    assert read_pdf(tmp_path / "b.pdf").text.count("crates were landed") == 30
