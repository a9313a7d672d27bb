"""lorewright extract: the verb, its options, and what a person is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents import PROSE, chapter, epub

Lorewright = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def recipe(make_recipe, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    file: Path = make_recipe(axolotl=None)
    epub(tmp_path / "texts" / "book.epub", {"a.xhtml": chapter(f"<h2>Late</h2><p>{PROSE}</p><hr/><p>{PROSE}</p>")})
    (tmp_path / "texts" / "cut.epub").write_bytes(b"PK\3\4")
    return file


@pytest.mark.req("S1", "R3")
def test_a_mixed_folder_is_extracted_resumed_and_made_afresh(lorewright: Lorewright, recipe: Path, tmp_path: Path) -> None:
    done = lorewright("extract", str(recipe))
    assert done.returncode == 0, done.stderr
    assert f"left out {tmp_path / 'texts' / 'cut.epub'}: is damaged or cut off" in done.stderr
    assert "5 documents, " in done.stderr
    folder = tmp_path / "runs" / "small" / "latest" / "extract"
    assert (folder / "documents" / "book.md").read_text() == f"# Late\n\n{PROSE}\n\n* * *\n\n{PROSE}\n"
    log = (tmp_path / "runs" / "small" / "logs" / "extract.log").read_text()
    assert "book.epub: 534 characters by epub in" in log
    assert "cut.epub: is damaged" in log
    assert "unchanged, skipped" in lorewright("extract", str(recipe)).stderr
    again = lorewright("extract", str(recipe), "--no-resume")
    assert "5 documents" in again.stderr
    assert "skipped" not in again.stderr


@pytest.mark.req("S1")
def test_options_reach_the_stage(lorewright: Lorewright, recipe: Path, tmp_path: Path) -> None:
    done = lorewright("extract", str(recipe), "--min-length", "1000", "--device", "cpu")
    assert "holds only 534 characters; data.extract.min_length is 1000" in done.stderr
    wrong = lorewright("extract", str(recipe), "--min-length", "-1")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("--set data.extract.min_length=-1: data.extract.min_length: ")
    absent = lorewright("extract", str(recipe), "--set", "data.extract.engine=docling")
    assert "docling, which is not installed in the core environment; set it to light" in absent.stderr


@pytest.mark.req("S1")
def test_prepare_reads_what_was_extracted(lorewright: Lorewright, recipe: Path, tmp_path: Path) -> None:
    done = lorewright("prepare", str(recipe))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for name in ("training", "validation")
             for line in (tmp_path / "runs" / "small" / "latest" / "prepare" / f"{name}.jsonl").read_text().splitlines()]  # fmt: skip
    assert {line["document"] for line in lines} == {"0.txt", "1.txt", "2.txt", "3.txt", "book.epub"}
    assert any("“The Ferry”" in line["messages"][1]["content"] for line in lines), "the book's own title is used"


def test_nothing_readable_is_an_error_in_one_line(lorewright: Lorewright, recipe: Path, tmp_path: Path) -> None:
    done = lorewright("extract", str(recipe), "--set", f"data.sources=['{tmp_path / 'texts' / 'cut.epub'}']")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "cut.epub: no manuscript could be read; data.sources wants text, Markdown, EPUB, PDF, Word, HTML or JSON files"
    )
