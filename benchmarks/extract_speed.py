"""How fast and how truly documents become text: EPUBs against the books' plain text, PDFs against the text they were made from.

Use: python benchmarks/extract_speed.py --documents FOLDER [--books FOLDER], with the dev environment.
FOLDER of documents: Standard Ebooks EPUBs. FOLDER of books: the same works as NAME.txt. Writes benchmarks/results/extract.md.
"""

from __future__ import annotations

import argparse
import difflib
import os
import platform
import re
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "src"), str(REPO)]

import pdfplumber  # noqa: E402

from benchmarks.made_pdfs import HEAD, MAKERS, NOTE_WORD, texts  # noqa: E402
from lorewright.data.documents import documents  # noqa: E402
from lorewright.data.extract import Work, extract  # noqa: E402
from lorewright.data.readers.markup import parse_xml, text_of  # noqa: E402
from lorewright.data.readers.pdf import read_pdf  # noqa: E402
from lorewright.recipe import Extract  # noqa: E402

WORD = re.compile(r"[^\W_]+(?:[’'-][^\W_]+)*")
FOREIGN = ("titlepage", "imprint", "colophon", "uncopyright", "endnotes")
SETTINGS = Extract(engine="light", timeout=300, memory=4096, min_length=0, device="auto")
RESULT = REPO / "benchmarks" / "results" / "extract.md"


def words(text: str) -> list[str]:
    return WORD.findall(text)


def epubs(folder: Path, books: Path | None) -> list[str]:
    """Lines of the report on EPUBs: the time of the whole stage, foreign sentences, and words of the body that came through."""
    files = sorted(folder.glob("*.epub"))
    best, found = 1e9, {}
    for _ in range(3):
        with tempfile.TemporaryDirectory() as out:
            begun = time.perf_counter()
            extract([str(file) for file in files], Work(Path(out), SETTINGS, Path(out) / "log"))
            best = min(best, time.perf_counter() - begun)
            found = {document.name: document.opened() for document in documents(Path(out))}
    lines = [f"{len(files)} EPUBs, each in a process of its own, together: **{best:.2f} s** (goal: 1 s).", ""]
    lines += [
        "| book | words of the body | came through | sentences of title page, imprint, colophon, uncopyright, notes |",
        "|---|---|---|---|",
    ]
    for file in files:
        title, text = found[file.name]
        assert isinstance(text, str)
        foreign = [sentence for sentence in _foreign(file) if sentence in " ".join(text.split())]
        book = books / f"{file.stem}.txt" if books else None
        share, count = _came_through(words(book.read_text(encoding="utf-8")), words(text)) if book and book.exists() else (None, 0)
        lines.append(f"| {title} | {count:,} | {f'{share:.3%}' if share is not None else 'no plain text given'} | {len(foreign)} |")
    return lines


def _came_through(body: list[str], got: list[str]) -> tuple[float, int]:
    missing = sum((Counter(body) - Counter(got)).values())
    return 1 - missing / len(body), len(body)


def _foreign(file: Path) -> list[str]:
    """Sentences of at least five words that are not the book."""
    found: list[str] = []
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if Path(name).stem in FOREIGN:
                for paragraph in re.split(r"(?<=[.:])\s", text_of(parse_xml(archive.read(name)))):
                    found += [paragraph] if len(paragraph.split()) >= 5 else []
    return found


def pdfs() -> list[str]:
    """Lines of the report on PDFs: words in order and pages a second, beside pdfplumber on the same file."""
    blocks = texts(REPO / "fine-tuning" / "data" / "raw")
    source = words(" ".join(block.lstrip("# ") for block in blocks))
    lines = [
        f"The same text of {len(source):,} words in every file; pages a second of processor time on one core, best of three",
        "(pdfplumber: of two). The models of docling were not at hand; it was not measured.", "",
        "| made by | words in order | left over | pages/s | pdfplumber pages/s | times | pdfplumber: words in order |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name, make in MAKERS.items():
            file = Path(folder) / "made.pdf"
            make(file, blocks)
            ours, text = min((_timed(lambda file=file: read_pdf(file).text) for _ in range(3)), key=lambda pair: pair[0])
            theirs, plain = min((_timed(lambda file=file: _plumbed(file)) for _ in range(2)), key=lambda pair: pair[0])
            with pdfplumber.open(file) as opened:
                pages = len(opened.pages)
            over = text.count(HEAD) + text.count(NOTE_WORD)
            row = [name, f"{_in_order(source, words(text)):.3%}", f"{over}", f"{pages / ours:.0f}", f"{pages / theirs:.1f}"]
            row += [f"{theirs / ours:.1f}", f"{_in_order(source, words(plain)):.1%}"]
            lines.append(f"| {' | '.join(row)} |")
    return lines


def _plumbed(file: Path) -> str:
    with pdfplumber.open(file) as opened:
        return "\n".join(page.extract_text() or "" for page in opened.pages)


def _timed(work) -> tuple[float, str]:  # type: ignore[no-untyped-def]
    """(seconds of this process's own work, what came of it): other users of the machine do not count."""
    begun = time.process_time()
    made = work()
    return time.process_time() - begun, made


def _in_order(source: list[str], got: list[str]) -> float:
    """Share of the source's words that stand in the result in the same order."""
    matcher = difflib.SequenceMatcher(None, source, got, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(source)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--documents", type=Path, required=True)
    given.add_argument("--books", type=Path)
    chosen = given.parse_args()
    head = [
        "# Extraction", "", f"`python benchmarks/extract_speed.py` on {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}; pdfplumber {pdfplumber.__version__} in the same run.",
    ]  # fmt: skip
    report = [*head, "", "## EPUB", "", *epubs(chosen.documents, chosen.books), "", "## PDF", "", *pdfs()]
    RESULT.write_text("\n".join(report) + "\n", encoding="utf-8")
    print("\n".join(report))


if __name__ == "__main__":
    main()
