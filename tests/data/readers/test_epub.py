"""EPUB: only the body of the book, its chapters and scene breaks as structure."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.data.readers.epub import read_epub
from lorewright.data.readers.refusal import UnreadableError
from tests.documents import BOMB, XHTML, chapter, epub

FOREIGN = {
    "titlepage.xhtml": chapter("<section epub:type='titlepage'><h1>The Ferry</h1></section>", "frontmatter"),
    "imprint.xhtml": chapter("<section epub:type='imprint'><p>Made by volunteers.</p></section>", "frontmatter"),
    "preface.xhtml": chapter("<p>Why I wrote this.</p>", "frontmatter"),
    "notes.xhtml": chapter("<section epub:type='endnotes'><ol><li>A note.</li></ol></section>", "backmatter"),
    "colophon.xhtml": chapter("<section epub:type='colophon'><p>Set in Fell.</p></section>", "backmatter"),
}


@pytest.mark.req("S1", "P1")
def test_only_the_body_comes_through_with_its_structure(tmp_path: Path) -> None:
    body = chapter(
        "<section epub:type='chapter'><hgroup><h2>I</h2><p epub:type='title'>Out</p></hgroup><p>She <i>left</i>.<a epub:type='noteref' "
        "href='notes.xhtml#1'>1</a></p><hr/><p>He&nbsp;stayed\u2060\u2014alone<sup><a href='#n2'>2</a></sup>.</p><blockquote><p>One<br/>two"
        "</p></blockquote></section><aside epub:type='footnote'><p>Beside.</p></aside>"
    )
    last = chapter("<h2>II</h2><div>Loose <span>words</span><p>and a paragraph</p>again</div><p># 3 was shut.</p>")
    parts = {**dict(list(FOREIGN.items())[:3]), "b1.xhtml": body, "b2.xhtml": last, **dict(list(FOREIGN.items())[3:])}
    reading = read_epub(epub(tmp_path / "book.epub", parts))
    assert reading.text == (
        "# I: Out\n\nShe left.\n\n* * *\n\nHe stayed\u2014alone.\n\nOne\ntwo\n\n# II\n\nLoose words\n\nand a paragraph\n\nagain\n\n\\# 3 was shut.\n"
    )
    assert (reading.title, reading.removed) == ("The Ferry", {"front and back matter": 5, "notes and marks": 2})


def test_a_book_that_says_nothing_of_its_parts_is_judged_by_names(tmp_path: Path) -> None:
    bare = f"{XHTML}<body><p>{{}}</p></body></html>"
    names = ("cover", "title_page", "copyright", "toc", "chapter1", "part2-the-index-case", "about-the-author")
    reading = read_epub(epub(tmp_path / "book.epub", {f"{name}.xhtml": bare.format(name) for name in names}))
    assert "chapter1" in reading.text
    assert not {"cover", "title_page", "copyright", "toc", "about-the-author"} & set(reading.text.split())


def test_careless_markup_loses_no_text(tmp_path: Path) -> None:
    careless = "<html><head><title/></head><body><p>First <b>bold<p>Second &eacute; &unknown; <br>third</body>"
    text = read_epub(epub(tmp_path / "book.epub", {"a.xhtml": careless, "b.xhtml": f"{XHTML}<body><p>a\x0bb</p></body></html>"})).text
    assert "First bold" in text
    assert "Second é" in text
    assert "third" in text


def test_entities_are_refused_in_any_encoding(tmp_path: Path) -> None:
    bomb = f"<?xml version='1.0' encoding='utf-16'?>{BOMB}<html><body><p>&c;</p></body></html>"
    file = epub(tmp_path / "book.epub", {"a.xhtml": bomb.encode("utf-16")})  # type: ignore[dict-item]
    with pytest.raises(UnreadableError, match="declares XML entities"):
        read_epub(file)
