from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.rag.catalogue import Catalogue, CatalogueWriter, Filter, open_catalogue
from lorewright.rag.chunk import Passage
from lorewright.rag.lexical import fold, match_any, terms

LORE = [
    ("people/josip.md", "people", "Josip Marrable", "The clerk", "In the Office of Hours Josip keeps the book. He owes a debt to Oduya.", ("clerk",)),
    ("people/oduya.md", "people", "Hanne Oduya", "Her shop", "Barometers hang in the shop. The capital of the Kettle buys them all in her Shop.", ("maker",)),
    ("places/zurich.md", "places", "Zürich", "Old town", "The river Limmat runs by. Łódź is far. On Sundays bells ring.", ()),
    ("人物/林冲.md", "人物", "林冲", "枪", "豹子头林冲用一支长枪。他是八十万禁军教头。", ()),
]  # fmt: skip
SCRIPTS = [
    ("hi/राजा.md", "hi", "राजकुमारी", "किताब", "राजकुमारी ने किताब छिपाई। राजा को नहीं मालूम।", ()),
    ("th/เจ้าหญิง.md", "th", "เจ้าหญิง", "หนังสือ", "เจ้าหญิงซ่อนหนังสือไว้ใต้ต้นไม้", ()),
    ("ar/ملك.md", "ar", "الملك", "السيف", "كسر الملك السيف القديم.", ()),
]  # fmt: skip


def passage(source: str, category: str, title: str, heading: str, text: str, tags: tuple[str, ...]) -> Passage:
    return Passage(f"{title} > {heading}\n\n{text}", source, category, title, heading, tags)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    writer = CatalogueWriter(folder / "passages.sqlite")
    for number, row in enumerate(LORE + SCRIPTS):
        writer.add(f"f{number}", [passage(*row)], [1], "")
    assert writer.finish() == (7, 7)
    return open_catalogue(folder)


def found(catalogue: Catalogue, question: str, only: Filter = Filter()) -> list[str]:  # noqa: B008
    return catalogue.ranked(terms(question), 10, only)


@pytest.mark.req("F7")
@pytest.mark.parametrize(("question", "first"), [
    ("Who is Josip?", "f0:0"), ("JOSIP MARRABLE’S debt", "f0:0"), ("what does oduya sell", "f1:0"), ("zurich", "f2:0"), ("Zu\u0308rich?", "f2:0"),
    ("lodz", "f2:0"), ("林冲的枪", "f3:0"), ("豹子头是谁", "f3:0"), ("禁军", "f3:0"),
    ("किताब कहाँ है", "f4:0"), ("หนังสือ", "f5:0"), ("เจ้าหญิงอยู่ที่ไหน", "f5:0"), ("السَّيْف", "f6:0"), ("الس‌يف", "f6:0"),
])  # fmt: skip
def test_names_accents_and_scripts_without_spaces_are_found(catalogue: Catalogue, question: str, first: str) -> None:
    assert found(catalogue, question)[0] == first


def test_signs_that_are_no_letters_do_not_tear_a_word() -> None:
    assert terms("हिन्दी की कहानी") == ["हिन्दी", "की", "कहानी"]
    assert terms("கதாநாயகன்") == ["கதாநாயகன்"]
    assert terms("ที่บ้าน") == ["ที่บ้", "บ้า", "าน"], "a sign with its tone is one of a pair"
    assert terms("שָׁלוֹם كِتَاب") == ["שלום", "كتاب"]


def test_what_says_most_comes_first(catalogue: Catalogue) -> None:
    assert found(catalogue, "Oduya") == ["f1:0", "f0:0"], "a title counts more than a mention"
    assert found(catalogue, "what is the of and") == []


@pytest.mark.req("F7")
def test_a_name_is_written_large_within_sentences_and_never_small(catalogue: Catalogue) -> None:
    asked = terms("Josip Oduya Limmat capital Office barometers bells Sundays clerk town shop 林冲 教头 nobody")
    assert catalogue.names(asked) == {"josip", "oduya", "limmat", "office", "sundays", "林冲"}
    assert catalogue.names([]) == set()


def test_filters_hold_for_words(catalogue: Catalogue) -> None:
    assert found(catalogue, "Oduya", Filter(tags=("maker", "none"))) == ["f1:0"]
    assert found(catalogue, "Oduya", Filter(categories=("places",))) == []
    only = catalogue.resolved(Filter(sources=("people/",)))
    assert sorted(only.sources) == ["people/josip.md", "people/oduya.md"]
    assert found(catalogue, "Oduya Zürich", only) == ["f1:0", "f0:0"]
    assert found(catalogue, "Oduya", catalogue.resolved(Filter(sources=("nowhere*",)))) == []


def test_what_is_taken_out_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "passages.sqlite"
    writer = CatalogueWriter(file)
    for number, row in enumerate(LORE):
        writer.add(f"f{number}", [passage(*row)] * 2, [2, 1], "odd" if number == 1 else "")
    assert writer.problems() == {"f1": "odd"}
    assert writer.remove("f0") == ["f0:0", "f0:0.1", "f0:1"]
    assert (writer.keys(), writer.categories()) == ({"f1", "f2", "f3"}, ["people", "places", "人物"])
    assert writer.finish() == (6, 9)
    again = CatalogueWriter(file)  # a copy goes on from here
    again.remove("f1")
    again.add("f9", [passage(*LORE[0])], [1], "")
    again.finish()
    opened = open_catalogue(tmp_path)
    assert opened.ranked(["oduya"], 9, Filter()) == ["f9:0"]
    assert opened.names(["oduya", "hanne"]) == {"oduya"}
    assert [held.text for held in opened.file("f9")] == [passage(*LORE[0]).text]
    opened.close()


def test_neighbours_are_of_the_same_section(tmp_path: Path) -> None:
    writer = CatalogueWriter(tmp_path / "passages.sqlite")
    rows = [Passage(f"t\n\n{number}", "s", "c", "t", "h", (), section) for number, section in enumerate([0, 0, 0, 1, 1])]
    writer.add("f", rows, [1] * 5, "")
    writer.add("g", rows, [1] * 5, "")
    writer.finish()
    opened = open_catalogue(tmp_path)
    assert opened.beside("f:1", 1) == ["f:0", "f:2"]
    assert opened.beside("f:2", 2) == ["f:0", "f:1"]
    assert opened.beside("f:3", 1) == ["f:4"]
    assert opened.passages(["g:4", "f:9", "f:0"]) == {"g:4": rows[4], "f:0": rows[0]}
    opened.close()


@given(st.text(max_size=60))
def test_any_question_can_be_put_to_the_full_text_search(text: str) -> None:
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    asked = terms(text)
    if asked:
        base.execute("SELECT * FROM words WHERE words MATCH ?", (match_any(asked),)).fetchall()
    assert all(term == fold(term) for term in asked)
    base.close()
