"""Extraction: what is read, that one bad file costs only itself, and that nothing finished is lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lorewright.data import extract as door
from lorewright.data.clean import clean, paragraphs
from lorewright.data.documents import documents as documents_of
from lorewright.data.extract import Work, extract
from lorewright.data.extracted import Entry
from lorewright.recipe import Extract
from tests.documents import PROSE, bad_files, chapter, docx, epub, pdf

Run = Callable[..., list[Entry]]
SETTINGS = Extract(engine="auto", timeout=60, memory=4096, min_length=0, device="auto")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    return folder


def run(source: Path | list[str], out: Path, settings: Extract = SETTINGS, earlier: tuple[Path, ...] = ()) -> list[Entry]:
    sources = source if isinstance(source, list) else [str(source)]
    return extract(sources, Work(out, settings, out.parent / "extract.log", earlier))


@dataclass(frozen=True)
class Opened:
    name: str
    title: str
    text: str


def read_documents(out: Path) -> list[Opened]:
    """What prepare gets to read, in order."""
    found = [(document.name, *document.opened()) for document in documents_of(out)]
    return [Opened(name, title, text if isinstance(text, str) else text.read_text("utf-8")) for name, title, text in found]


def documents(out: Path) -> dict[str, Opened]:
    return {document.name: document for document in read_documents(out)}


@pytest.mark.req("F3", "R3")
def test_text_and_markdown_are_taken_and_foreign_files_named(texts: Path, out: Path) -> None:
    (texts / "deep").mkdir()
    (texts / "deep" / "good.md").write_text("---\nauthor: x\n---\n# The Title\n\nText.\n\n## Part\n\nMore.", encoding="utf-8")
    (texts / "sixteen.txt").write_text("Written on Windows.\r\nSo.", encoding="utf-16")
    (texts / "marked.txt").write_text("With a mark.", encoding="utf-8-sig")
    (texts / ".hidden.txt").write_text("no")
    (texts / "gone.txt").symlink_to(texts / "nowhere")
    entries = run(texts, out)
    found = documents(out)
    assert {name: document.title for name, document in found.items()} == {"deep/good.md": "The Title", "marked.txt": "", "sixteen.txt": ""}
    assert found["deep/good.md"].text.split("\n\n") == ["# The Title", "Text.", "## Part", "More."]
    assert (found["marked.txt"].text, found["sixteen.txt"].text) == ("With a mark.", "Written on Windows.\nSo.")
    assert [entry.engine for entry in entries] == ["text"] * 3


@pytest.mark.req("S1", "P1", "R3")
def test_every_bad_file_gets_its_reason_and_the_good_ones_are_used(texts: Path, out: Path) -> None:
    wanted = bad_files(texts)
    (texts / "good.txt").write_text(PROSE)
    epub(texts / "good.epub", {"a.xhtml": chapter(f"<p>{PROSE}</p>")})
    refused = {Path(entry.source).name: entry.refused for entry in run(texts, out) if entry.refused}
    assert {name: reason for name, reason in refused.items() if wanted.get(name, "?") not in reason} == {}
    assert set(refused) == set(wanted)
    assert set(documents(out)) == {"good.txt", "good.epub"}
    assert not list(out.rglob("*.partial"))
    assert all("\n" not in reason and len(reason) < 200 for reason in refused.values())


@pytest.mark.req("S1")
def test_the_first_bytes_decide_not_the_name(texts: Path, out: Path) -> None:
    pdf(texts / "notes.txt", [[PROSE[:60], PROSE[60:120]]])
    epub(texts / "book.pdf", {"a.xhtml": chapter(f"<p>{PROSE}</p>")})
    (texts / "page.txt").write_text(f"<!DOCTYPE html><html><body><p>{PROSE}</p></body></html>")
    (texts / "plain.epub").write_text(PROSE)
    entries = {entry.name: entry for entry in run(texts, out)}
    assert {name: entry.engine for name, entry in entries.items()} == {
        "notes.txt": "pdf", "book.pdf": "epub", "page.txt": "html", "plain.epub": "text",
    }  # fmt: skip
    assert entries["notes.txt"].notes == ("is a pdf file, whatever its name says",)
    assert documents(out)["page.txt"].text.strip() == PROSE


@pytest.mark.req("S1")
def test_equal_names_do_not_meet(texts: Path, out: Path) -> None:
    for folder in ("a", "b"):
        (texts / folder).mkdir()
        (texts / folder / "one.txt").write_text(f"From {folder}.")
    (texts / "One.md").write_text("From above.")
    run([str(texts / "b" / "one.txt"), str(texts / "*" / "*.txt"), str(texts)], out)
    assert [document.text for document in read_documents(out)] == ["From b.", "From a.", "From above."]
    assert len(list((out / "documents").iterdir())) == 3


# --- a worker that crashes, hangs or eats memory costs its own document ---------------------------------------------------

READERS = """
import ctypes, time
from lorewright.data.readers import engines as _engines
from lorewright.data.readers.refusal import Reading
import lorewright.data.readers as readers
def bad(file):
    text = file.read_text()
    if "crash" in text: ctypes.string_at(0)
    if "hang" in text: time.sleep(600)
    if "eat" in text: return Reading("x" * (1 << 33))
    if "raise" in text: raise KeyError("oh")
    return Reading("fine")
def fallback(file):
    if "both" in file.read_text(): ctypes.string_at(0)
    return Reading("by the fallback")
readers.engines = lambda kind, engine, device: [("first", bad), ("fallback", fallback)]
"""


@pytest.fixture
def bad_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose first reader does what the document says."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(READERS)
    monkeypatch.setitem(door.MODEST, "PYTHONPATH", f"{folder}{os.pathsep}{door.PACKAGES}")


@pytest.mark.req("S1")
def test_crash_hang_and_hunger_cost_one_retry_and_never_the_run(texts: Path, out: Path, bad_readers: None) -> None:
    for word in ("fine", "crash", "hang", "eat", "raise", "crash-both", "raise-both"):
        (texts / f"{word}.html").write_text(f"<html>{word}")
    begun = time.monotonic()
    entries = {Path(entry.name).stem: entry for entry in run(texts, out, Extract("auto", 2, 1024, 0, "auto"))}
    assert time.monotonic() - begun < 30
    assert entries["fine"].engine == "first"
    failures = {word: entry.notes[-1] for word, entry in entries.items() if entry.engine == "fallback"}
    assert failures == {
        "crash": "the first reader failed: crashed with SIGSEGV",
        "hang": "the first reader failed: took longer than 2 s (data.extract.timeout)",
        "eat": "the first reader failed: needs more memory than its limit",
        "raise": "the first reader failed: KeyError: 'oh'",
    }
    assert entries["crash-both"].refused == "could not be read: crashed with SIGSEGV"
    assert entries["raise-both"].refused == "could not be read: KeyError: 'oh'; the fallback: crashed with SIGSEGV"
    assert {document.text.strip() for document in read_documents(out)} == {"fine", "by the fallback"}


# --- going on ----------------------------------------------------------------------------------------------------------------

GO = """
import os, sys
from pathlib import Path
from lorewright.data.extract import Work, extract
from lorewright.recipe import Extract
extract([sys.argv[1]], Work(Path(sys.argv[2]), Extract("auto", 60, 4096, 0, "auto"), Path(sys.argv[2]) / "log"))
"""


@pytest.mark.req("S1")
def test_kill_nine_loses_no_finished_document(texts: Path, out: Path) -> None:
    for number in range(24):
        epub(texts / f"{number:02}.epub", {"a.xhtml": chapter(f"<h2>Book {number}</h2>" + f"<p>{PROSE}</p>" * 200)})
    command = [sys.executable, "-c", GO, str(texts), str(out)]
    settings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    record = out / "extracted.jsonl"
    for wanted in (3, 9):
        child = subprocess.Popen(command, env=settings)
        while not record.exists() or record.read_bytes().count(b"\n") < wanted:
            assert child.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = record.read_bytes().splitlines()[:9]
    record.write_bytes(record.read_bytes() + b'{"name": "cut of')
    entries = run(texts, out)
    lines = record.read_bytes().splitlines()
    assert lines[:9] == before
    assert [entry.name for entry in entries] == [f"{number:02}.epub" for number in range(24)]
    assert [document.title for document in read_documents(out)] == ["The Ferry"] * 24
    names = [json.loads(line)["name"] for line in lines if line.endswith(b"}")]
    assert len(names) == len(set(names)) == 24, "each document was made once"


@pytest.mark.req("S1")
def test_what_an_earlier_run_made_is_taken_over(texts: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epub(texts / "old.epub", {"a.xhtml": chapter(f"<p>{PROSE}</p>")})
    (texts / "bad.epub").write_bytes(b"PK\3\4")
    run(texts, out)
    epub(texts / "new.epub", {"a.xhtml": chapter(f"<p>Another. {PROSE}</p>")})
    read: list[str] = []
    really = door._by_worker
    monkeypatch.setattr(door, "_by_worker", lambda job, *more: read.append(job.name) or really(job, *more))
    second = tmp_path / "second"
    second.mkdir()
    run(texts, second, earlier=(out,))
    assert read == ["new.epub"]
    assert set(documents(second)) == {"old.epub", "new.epub"}
    read.clear()
    third = tmp_path / "third"
    third.mkdir()
    run(texts, third, Extract("light", 60, 4096, 0, "auto"), (second,))
    assert sorted(read) == ["new.epub", "old.epub"], "other settings, other documents"


def test_what_older_readers_made_is_read_again(texts: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (texts / "a.html").write_text("<p>The ferry was late.</p>")
    (before,) = run(texts, out)
    (tmp_path / "later").mkdir()
    assert run(texts, tmp_path / "later", earlier=(out,))[0].seconds == before.seconds, "taken over"
    monkeypatch.setattr(door, "READERS", door.READERS + 1)
    (tmp_path / "newer").mkdir()
    assert run(texts, tmp_path / "newer", earlier=(out,))[0].asked != before.asked


def test_a_full_disk_is_no_fault_of_the_documents(texts: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (texts / "a.txt").write_text(PROSE)

    def full(file: Path, target: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(door, "copy_text", full)
    with pytest.raises(OSError, match="No space left"):
        run(texts, out)
    monkeypatch.undo()
    assert [entry.refused for entry in run(texts, out)] == [""], "it is done when there is room again"


def test_short_documents_are_left_out_when_asked(texts: Path, out: Path) -> None:
    (texts / "short.txt").write_text("Too short.")
    docx(texts / "short.docx", [("Normal", "Also short.")])
    (texts / "long.txt").write_text(PROSE)
    entries = run(texts, out, Extract("auto", 60, 4096, 100, "auto"))
    assert {entry.name: bool(entry.refused) for entry in entries} == {"short.txt": True, "short.docx": True, "long.txt": False}
    assert "holds only 10 characters; data.extract.min_length is 100" in {entry.refused for entry in entries}
    assert [file.name for file in (out / "documents").iterdir()] == ["long.txt"]


def test_large_text_is_never_held_whole(texts: Path, out: Path) -> None:
    (texts / "large.txt").write_text(f"{PROSE}\r\n" * 200_000, newline="")
    code = f"{GO}\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    settings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    peaks = []
    for source in (texts, texts / "large.txt"):
        done = subprocess.run([sys.executable, "-c", code, str(source), str(out)], env=settings, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert max(peaks) < 90, "MB, for a text of 48"
    assert (out / "documents" / "large.txt").stat().st_size == len((PROSE + "\n").encode()) * 200_000


# --- what cleaning makes of it ------------------------------------------------------------------------------------------------


def test_cleaning_keeps_every_word() -> None:
    raw = "One\r\nline.\r\rTwo\x00\x07 cafe\u0301   \n\n\n\n***\n\n- - -\n\nEnd."
    assert clean(raw) == "One\nline.\n\nTwo café\n\n* * *\n\n* * *\n\nEnd."


def test_hard_wrapped_lines_are_joined_and_verse_is_not() -> None:
    wrapped = "A line that was wrapped by an editor at some width\nand goes on here to its end."
    verse = "O rose,\nthou art sick."
    assert paragraphs(f"{wrapped}\n\n{verse}") == [wrapped.replace("\n", " "), verse]


def test_a_scene_between_two_rules_is_no_front_matter(texts: Path, out: Path) -> None:
    (texts / "a.md").write_text("---\nShe left.\n\n---\n\nHe stayed.")
    (texts / "b.md").write_text("Chapter One\n===========\n\nIt rained.\n---\nIt stopped.\n")
    run(texts, out)
    first, second = read_documents(out)
    assert clean(first.text) == "* * *\n\nShe left.\n\n* * *\n\nHe stayed."
    assert clean(second.text) == "# Chapter One\n\nIt rained.\n\n* * *\n\nIt stopped.", "a line that ends a sentence is no heading"


def test_a_break_inside_a_block_parts_paragraphs() -> None:
    assert paragraphs(clean("Text here.\n***\nNext scene.")) == ["Text here.", "* * *", "Next scene."]
