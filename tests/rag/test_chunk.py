from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data.extract import Work
from lorewright.data.readers.kind import READ
from lorewright.plan import LORE
from lorewright.rag.chunk import Cut, Passage, passages_of, searchable, sections
from lorewright.rag.lore_files import READING, lore_files, read_files
from lorewright.rag.words import count_words
from tests.documents import PROSE, chapter, docx, epub

ELARA = """---\r
title: Elara Voss\r
tags: [pilot]\r
---\r
# Elara Voss\r
\r
A pilot.\r
\r
## Body\r
\r
### Left arm\r
Brushed steel.\r
"""


def read(folder: Path, words: int, overlap: int = 0) -> tuple[list[Passage], dict[str, str]]:
    """The passages of all files below, and what is wrong by name."""
    files, _ = lore_files([str(folder)], lambda file: file.name)
    made = list(read_files(files, Cut(words, overlap), Work(folder / "work", READING, folder / "log")))
    return [passage for one in made for passage in one.passages], {one.lore.file.name: one.problem for one in made if one.problem}


@pytest.fixture
def lore(tmp_path: Path) -> Path:
    files = {
        "characters/elara.md": ELARA,
        "worldbuilding/sea/ice.txt": "The harbour freezes.",
        "notes.md": "# Notes\nSome.",
        "characters/.draft.md": "hidden",
        ".git/x.md": "hidden",
        "characters/portrait.png": "no",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


@pytest.mark.req("F7")
def test_passages_know_their_category_title_and_heading(lore: Path) -> None:
    passages, problems = read(lore, 50)
    assert problems == {}
    elara = "characters/elara.md", "characters", "Elara Voss"
    assert passages == [
        Passage("Elara Voss\n\nA pilot.", *elara, "", ("pilot",), 1),
        Passage("Elara Voss > Body > Left arm\n\nBrushed steel.", *elara, "Body > Left arm", ("pilot",), 3),
        Passage("Notes\n\nSome.", "notes.md", lore.name, "Notes", "", (), 1),
        Passage("ice\n\nThe harbour freezes.", "worldbuilding/sea/ice.txt", "worldbuilding", "ice", ""),
    ]


def test_front_matter_names_the_category(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ncategory: places\n---\nText")
    assert read(tmp_path, 50)[0][0].category == "places"


@pytest.mark.req("F7")
def test_bad_files_are_reported_and_the_others_used(lore: Path) -> None:
    (lore / "latin.md").write_bytes("Café".encode("latin-1"))
    (lore / "utf16.md").write_bytes("Text".encode("utf-16-le"))
    (lore / "empty.md").write_bytes(b"\xef\xbb\xbf \n")
    (lore / "broken.md").write_text("---\ntitle: [\n---\nStill used.")
    passages, reported = read(lore, 50)
    assert set(reported) == {"latin.md", "utf16.md", "empty.md", "broken.md"}
    assert "not UTF-8 text (byte 3)" in reported["latin.md"]
    assert {passage.source for passage in passages} == {"characters/elara.md", "worldbuilding/sea/ice.txt", "notes.md", "broken.md"}
    assert "broken\n\nStill used." in [passage.text for passage in passages]


def test_code_blocks_have_no_headings() -> None:
    found = sections("# A\n```\n# not one\n~~~\n```\n## B #\nx")
    assert [(part.path, part.body) for part in found] == [
        ((), ""),
        (((1, "A"),), "```\n# not one\n~~~\n```"),
        (((1, "A"), (2, "B")), "x"),
    ]


def test_a_heading_with_nothing_below_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n## The moon is green\n## Sea\nwet")
    assert [passage.text for passage in read(tmp_path, 50)[0]] == ["A > The moon is green", "A > Sea\n\nwet"]


WORDS = st.lists(st.sampled_from(["moon", "sea.", "Ice!", "—", "*arm*", "月。", "#no"]), min_size=1, max_size=30).map(" ".join)
BLOCK = WORDS | st.integers(1, 4).map(lambda level: "#" * level + " Heading")


@given(st.lists(BLOCK, min_size=1, max_size=12), st.integers(1, 20), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_no_text_is_lost_and_no_passage_is_too_long(blocks: list[str], size: int, gap: str) -> None:
    text = gap.join(blocks).replace("\r\n", "\n")
    passages, _ = passages_of(text, Path("/lore/a.md"), Path("/lore"), Cut(size))
    bodies = [passage.text.partition("\n\n")[2] for passage in passages]
    written = "".join(block for block in blocks if not block.startswith("#") or block.startswith("#no"))
    assert "".join("".join(bodies).split()) == "".join(written.split())
    assert all(count_words(body) <= size for body in bodies)
    assert all(passage.text.startswith(passage.title) for passage in passages)


@pytest.mark.req("F7")
def test_passages_are_searched_whole_and_by_sentence() -> None:
    many = Passage(
        "Anna > Arm\n\n- It is of pale pearwood.\n- Made by Oduya in Kettle Street. Short one.", "a.md", "characters", "Anna", "Arm"
    )
    one = Passage("Anna > Age\n\nShe is forty-one years old.", "a.md", "characters", "Anna", "Age")
    texts, owners = searchable([many, one])
    assert texts == [many.text, "Anna: - It is of pale pearwood.", "Anna: - Made by Oduya in Kettle Street.", one.text]
    assert owners == [0, 0, 0, 1]


def test_an_overlap_is_repeated_and_searched_once() -> None:
    text = "# Sea\n" + " ".join(f"The wave of day {number} was high." for number in range(6)) + "\n# Ice\nAll of it froze in one night."
    passages, _ = passages_of(text, Path("/lore/a.md"), Path("/lore"), Cut(21, 7))
    bodies = [passage.text.partition("\n\n")[2] for passage in passages]
    assert [count_words(body) for body in bodies] == [14, 21, 21, 7]
    assert bodies[1].startswith("The wave of day 1 was high.\n\nThe wave of day 2")
    assert bodies[3] == "All of it froze in one night.", "another section begins anew"
    texts, owners = searchable(passages)
    assert len(set(texts)) == len(texts)
    assert [owners.count(number) for number in range(4)] == [3, 3, 3, 1]


@given(st.lists(BLOCK, min_size=1, max_size=12), st.integers(2, 20))
def test_an_overlap_never_makes_a_passage_too_long(blocks: list[str], size: int) -> None:
    passages, _ = passages_of("\n\n".join(blocks), Path("/lore/a.md"), Path("/lore"), Cut(size, size // 2))
    assert all(count_words(passage.text.partition("\n\n")[2]) <= size for passage in passages)


@pytest.mark.req("F7")
def test_books_and_documents_are_lore_too(tmp_path: Path) -> None:
    lore = tmp_path / "lore"
    (lore / "chapters").mkdir(parents=True)
    epub(lore / "chapters" / "ferry.epub", {"one.xhtml": chapter(f"<h1>The quay</h1><p>{PROSE}</p>")})
    docx(lore / "chapters" / "notes.docx", [("Heading1", "Tides"), ("Normal", PROSE)])
    (lore / "chapters" / "page.html").write_text(f"<html><body><h1>A page</h1><p>{PROSE}</p></body></html>")
    (lore / "chapters" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (lore / "settings.json").write_text("{}")
    files, _ = lore_files([str(lore)], lambda file: file.name)
    made = {one.lore.file.name: one for one in read_files(files, Cut(50), Work(tmp_path / "work", READING, tmp_path / "log"))}
    assert set(made) == {"ferry.epub", "notes.docx", "page.html", "broken.pdf"}
    assert made["broken.pdf"].problem
    first = made["ferry.epub"].passages[0]
    assert (first.source, first.category, first.title, first.heading) == ("chapters/ferry.epub", "chapters", "The Ferry", "The quay")
    assert [made[name].passages[0].heading or made[name].passages[0].title for name in ("notes.docx", "page.html")] == ["Tides", "A page"]
    assert all("Marta counted" in made[name].passages[0].text for name in made if name != "broken.pdf")


def test_lore_is_what_extraction_reads() -> None:
    assert set(LORE) == READ - {".json"}
