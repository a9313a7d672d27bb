"""HTML, JSON sections, Word and the others; and the fallbacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data.readers import engines, layout
from lorewright.data.readers.kind import kind_of
from lorewright.data.readers.library import read_library
from lorewright.data.readers.plain import plain_epub, plain_pdf
from lorewright.data.readers.refusal import UnreadableError
from lorewright.data.readers.sections import read_sections
from lorewright.data.readers.web import read_html
from lorewright.data.readers.word import read_word
from lorewright.data.readers.worker import main
from tests.documents import PROSE, chapter, docx, epub, pdf


@pytest.mark.req("R1")
@pytest.mark.parametrize(
    "report",
    [
        {"INTRODUCTION": {"original": "bad", "improved": "Why it matters."}, "METHODOLOGY": {"improved": "How.\n\nThen what."}},
        {"title": "On Tides", "sections": {"INTRODUCTION": {"improved": "Why it matters."}, "METHODOLOGY": {"improved": "How.\n\nThen what."}}},
        [{"section": "INTRODUCTION", "improved": "Why it matters."}, {"name": "METHODOLOGY", "improved": "How.\n\nThen what."}, {"improved": ""}],
    ],
)  # fmt: skip
def test_improved_sections_become_headed_text(report: object, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert read_sections(tmp_path / "report.json").text == "### INTRODUCTION\n\nWhy it matters.\n\n### METHODOLOGY\n\nHow.\n\nThen what.\n"


def test_a_page_gives_its_article_only(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        f"<html><head><title>The Ferry</title><script>x()</script></head><body><nav><a>Home</a></nav><article><h1>Late</h1><p>{PROSE}</p>"
        "<aside>More to read</aside></article><footer>Imprint</footer></body></html>"
    )
    reading = read_html(page)
    assert (reading.title, reading.text) == ("The Ferry", f"# Late\n\n{PROSE}\n")


def test_a_saved_page_gives_its_text_without_what_the_site_puts_around_it(tmp_path: Path) -> None:
    page = tmp_path / "saved.html"
    page.write_text(
        f"<body><header class='site'>Quay News</header><div class='cookie-banner'>Accept all</div><div class='post'><h1>Late</h1><p>{PROSE}"
        f"<sup><a href='#n'>[1]</a></sup></p><figure><img src='x'><figcaption>A ferry.</figcaption></figure><p>{PROSE[:60]}.</p>"
        "<table><tr><td>one</td><td>two</td></tr></table><p id='related-by-marriage'>She was.</p><ol class='footnotes'><li>A note.</li></ol></div>"
        "<div class='related'><ul><li>Other news</li></ul></div><div id='comments'>Nice post!</div></body>"
    )
    reading = read_html(page)
    assert reading.text == f"# Late\n\n{PROSE}\n\n{PROSE[:60]}.\n\none two\n\nShe was.\n"
    assert reading.removed == {"parts beside the article": 6, "notes and marks": 0}


def test_an_article_in_a_box_of_any_name_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<body><div class='comments'><p>{PROSE}</p></div><p>And then.</p></body>")
    assert read_html(page).text == f"{PROSE}\n\nAnd then.\n"


def test_a_page_in_another_encoding_is_read_as_it_says(tmp_path: Path) -> None:
    page = tmp_path / "old.htm"
    page.write_bytes("<html><head><meta charset='iso-8859-1'></head><body><p>caf\xe9 \x01at night</p></body></html>".encode("latin-1"))
    assert kind_of(page) == "html"
    assert read_html(page).text == "café at night\n"


@pytest.mark.req("S1")
def test_word_documents_keep_headings_in_both_engines(tmp_path: Path) -> None:
    file = docx(tmp_path / "a.docx", [("Heading1", "Late"), ("Normal", PROSE), ("Normal", "* * *"), ("Normal", "The end.")])
    for reading in (read_library(file, "docx"), read_word(file)):
        blocks = reading.text.strip().split("\n\n")
        assert (blocks[0], blocks[1], blocks[-1]) == ("# Late", PROSE, "The end.")


def test_rtf_and_others_go_through_the_library(tmp_path: Path) -> None:
    (tmp_path / "a.rtf").write_text(r"{\rtf1\ansi{\fonttbl\f0 Times;}\f0 The ferry was late.\par Nobody asked.\par}")
    (tmp_path / "a.rst").write_text("Late\n====\n\nThe ferry was late.\n")
    for name in ("a.rtf", "a.rst"):
        assert "The ferry was late." in read_library(tmp_path / name, kind_of(tmp_path / name)).text


@pytest.mark.req("S1")
def test_the_plain_fallbacks_give_the_words(tmp_path: Path) -> None:
    made = pdf(tmp_path / "a.pdf", [["The ferry was late.", "Nobody asked."], ["The end."]])
    assert plain_pdf(made).text.split() == ["The", "ferry", "was", "late.", "Nobody", "asked.", "The", "end."]
    assert PROSE in plain_epub(epub(tmp_path / "a.epub", {"a.xhtml": chapter(f"<p>{PROSE}</p>")})).text


@pytest.mark.req("S1")
def test_the_layout_engine_is_used_where_it_is_wanted_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(engine: str, device: str, kind: str = "pdf") -> list[str]:
        return [name for name, _ in engines(kind, engine, device)]

    monkeypatch.setattr(layout, "installed", lambda: True)
    assert names("docling", "cpu") == names("auto", "cuda") == ["docling", "pdf"]
    assert names("light", "cuda") == names("auto", "cpu") == ["pdf", "plain"]
    assert names("docling", "cpu", "epub") == ["epub", "plain"]
    monkeypatch.setattr(layout, "installed", lambda: False)
    assert names("auto", "cuda") == ["pdf", "plain"]


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".txt", ".md", ".pdf", ".epub", ".docx", ".html", ".json", ".rtf", ".doc"]),
       head=st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", b"\xff\xfe", b"{\\rtf", b"\xd0\xcf\x11\xe0"]))  # fmt: skip
def test_any_bytes_have_a_kind_or_a_reason(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str, head: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(head + content)
    try:
        assert kind_of(file).isalnum()
    except UnreadableError as problem:
        assert problem.reason


@given(
    kind=st.sampled_from(["epub", "html", "json", "docx"]),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 12)), min_size=1, max_size=12),
)
def test_damaged_documents_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, edits: list[tuple[float, bytes, int]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    made = {"epub": lambda file: epub(file, {"a.xhtml": chapter(f"<h2>I</h2><p>{PROSE}</p><hr/><p>&eacute;</p>")}),
            "docx": lambda file: docx(file, [("Heading1", "A"), ("Normal", PROSE)]),
            "html": lambda file: file.write_text(chapter(f"<div>a<p>{PROSE}</p><ul><li>b</li></ul></div>")),
            "json": lambda file: file.write_text('{"A": {"improved": "text"}, "B": [{"improved": "x"}]}')}  # fmt: skip
    file = folder / f"damaged.{kind}"
    made[kind](file)
    raw = file.read_bytes()
    for place, added, gone in edits:
        at = int(place * len(raw))
        raw = raw[:at] + added + raw[at + gone :]
    file.write_bytes(raw)
    job = {"file": str(file), "out": str(folder / "out"), "kind": kind, "engine": "light", "device": "auto", "attempt": 0}
    said = main(job)
    problem = said.get("refused") or said.get("failed")
    assert "characters" in said or (problem and "\n" not in problem)
