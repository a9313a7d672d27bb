from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.rag.chunk import Passage, read_passages, searchable, sections
from lorewright.rag.words import count_words

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
    passages, problems = read_passages([str(lore)], 50)
    assert problems == []
    elara = "characters/elara.md", "characters", "Elara Voss"
    assert passages == [
        Passage("Elara Voss\n\nA pilot.", *elara, "", ("pilot",)),
        Passage("Elara Voss > Body > Left arm\n\nBrushed steel.", *elara, "Body > Left arm", ("pilot",)),
        Passage("Notes\n\nSome.", "notes.md", lore.name, "Notes", ""),
        Passage("ice\n\nThe harbour freezes.", "worldbuilding/sea/ice.txt", "worldbuilding", "ice", ""),
    ]


def test_front_matter_names_the_category(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ncategory: places\n---\nText")
    assert read_passages([str(tmp_path)], 50)[0][0].category == "places"


@pytest.mark.req("F7")
def test_bad_files_are_reported_and_the_others_used(lore: Path) -> None:
    (lore / "latin.md").write_bytes("Café".encode("latin-1"))
    (lore / "utf16.md").write_bytes("Text".encode("utf-16-le"))
    (lore / "empty.md").write_bytes(b"\xef\xbb\xbf \n")
    (lore / "broken.md").write_text("---\ntitle: [\n---\nStill used.")
    passages, problems = read_passages([str(lore)], 50)
    reported = {file.name: reason for file, reason in problems}
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
    assert [passage.text for passage in read_passages([str(tmp_path)], 50)[0]] == ["A > The moon is green", "A > Sea\n\nwet"]


WORDS = st.lists(st.sampled_from(["moon", "sea.", "Ice!", "—", "*arm*", "月。", "#no"]), min_size=1, max_size=30).map(" ".join)
BLOCK = WORDS | st.integers(1, 4).map(lambda level: "#" * level + " Heading")


@given(st.lists(BLOCK, min_size=1, max_size=12), st.integers(1, 20), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_no_text_is_lost_and_no_passage_is_too_long(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[str], size: int, gap: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "hypothesis.md"
    file.write_bytes(gap.join(blocks).encode())
    passages, _ = read_passages([str(file)], size)
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
