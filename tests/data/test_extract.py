"""Manuscripts: what is read, and that one bad file costs only itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.data.clean import clean, paragraphs
from lorewright.data.extract import extract


@pytest.mark.req("F3", "R3")
def test_bad_files_are_named_and_the_others_used(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.md").write_text("---\nauthor: x\n---\n# The Title\n\nText.\n\n## Part\n\nMore.", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 at night, a long enough text")
    (tmp_path / "empty.txt").write_text("  \n")
    (tmp_path / "sixteen.txt").write_text("Written on Windows.", encoding="utf-16")
    (tmp_path / "marked.txt").write_text("With a mark.", encoding="utf-8-sig")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    documents, refused = extract([str(tmp_path)])
    assert {document.name: document.title for document in documents} == {"deep/good.md": "The Title", "marked.txt": "", "sixteen.txt": ""}
    assert [document.text.split() for document in documents if document.title] == [["Text.", "More."]]
    assert next(document.text for document in documents if document.name == "marked.txt") == "With a mark."
    assert {bad.file.name: bad.reason for bad in refused} == {
        "latin.txt": "is not UTF-8 text (byte 3); save it as UTF-8",
        "empty.txt": "holds no text",
        "picture.png": ".png files are not read; save it as text (.txt) or Markdown (.md)",
    }


def test_sources_are_files_folders_and_globs_each_file_once(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.md"):
        (tmp_path / name).write_text(name)
    sources = [str(tmp_path / "b.txt"), str(tmp_path / "*.txt"), str(tmp_path)]
    assert [document.name for document in extract(sources)[0]] == ["b.txt", "a.txt", "c.md"]


def test_a_named_file_of_a_foreign_kind_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "book.epub").write_bytes(b"PK")
    documents, refused = extract([str(tmp_path / "book.epub")])
    assert not documents
    assert refused[0].reason == ".epub files are not read; save it as text (.txt) or Markdown (.md)"


def test_cleaning_keeps_every_word() -> None:
    raw = "One\r\nline.\r\rTwo\x00\x07 cafe\u0301   \n\n\n\n***\n\n- - -\n\nEnd."
    assert clean(raw) == "One\nline.\n\nTwo café\n\n* * *\n\n* * *\n\nEnd."


def test_hard_wrapped_lines_are_joined_and_verse_is_not() -> None:
    wrapped = "A line that was wrapped by an editor at some width\nand goes on here to its end."
    verse = "O rose,\nthou art sick."
    assert paragraphs(f"{wrapped}\n\n{verse}") == [wrapped.replace("\n", " "), verse]


def test_a_scene_between_two_rules_is_no_front_matter(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nShe left.\n\n---\n\nHe stayed.")
    (tmp_path / "b.md").write_text("Chapter One\n===========\n\nIt rained.\n---\nIt stopped.\n")
    first, second = extract([str(tmp_path)])[0]
    assert clean(first.text) == "* * *\n\nShe left.\n\n* * *\n\nHe stayed."
    assert (second.title, "It stopped." in second.text) == ("Chapter One", True)


def test_a_break_inside_a_block_parts_paragraphs() -> None:
    assert paragraphs(clean("Text here.\n***\nNext scene.")) == ["Text here.", "* * *", "Next scene."]
