"""What a file really is: its first bytes decide, its name only where they leave it open."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path

from lorewright.data.readers.refusal import UnreadableError

HEAD = 4096
TEXT = {".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text"}
MARKUP = {".html": "html", ".htm": "html", ".xhtml": "html", ".json": "json"}
# What the extraction library reads; the kind is the suffix without its dot.
LIBRARY = {".docx", ".odt", ".rtf", ".doc", ".fb2", ".rst", ".org", ".tex"}
BINARY = {".pdf", ".epub", ".docx", ".odt", ".doc"}
READ = {*TEXT, *MARKUP, *LIBRARY, ".pdf", ".epub"}
ADVICE = "save it as text (.txt) or Markdown (.md)"
FOREIGN = (
    (b"\x89PNG", "a picture (PNG)"), (b"\xff\xd8\xff", "a picture (JPEG)"), (b"GIF8", "a picture (GIF)"), (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip archive"), (b"7z\xbc\xaf", "a 7-Zip archive"), (b"Rar!\x1a", "a RAR archive"), (b"SQLite format 3", "a database"),
)  # fmt: skip


def kind_of(file: Path) -> str:
    """text, markdown, html, json, pdf, epub, docx, odt, doc, rtf, fb2, rst, org or tex.

    Raises UnreadableError for an empty file, one that nothing here reads, and one that is not what its name says; OSError when it
    cannot be opened.
    """
    suffix = file.suffix.lower()
    if suffix not in READ:
        raise UnreadableError(f"{file.suffix or 'such'} files are not read; {ADVICE}")
    with open(file, "rb") as opened:
        head = opened.read(HEAD)
    if not head:
        raise UnreadableError("is empty")
    return _by_content(file, suffix, head)


def _by_content(file: Path, suffix: str, head: bytes) -> str:
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _old_office(file)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(file)
    for sign, what in FOREIGN:
        if head.startswith(sign):
            raise UnreadableError(f"is {what}, whatever its name says")
    if not _is_text(head):
        if MARKUP.get(suffix) == "html" and b"\0" not in head:
            return "html"  # a page says itself how its letters are written
        if suffix in BINARY or suffix in MARKUP:
            raise UnreadableError(f"is no {suffix[1:].upper()}: its first bytes are of no kind that is read; it may be damaged")
        return TEXT.get(suffix, "text")  # reading it says which byte is not text
    return _textual(suffix, head)


def _textual(suffix: str, head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    if suffix in BINARY and suffix != ".doc" and start.startswith(b"pk"):
        raise UnreadableError(f"is cut off: only the first bytes of a {suffix[1:].upper()} file are there")
    return TEXT.get(suffix) or MARKUP.get(suffix) or ("text" if suffix in BINARY else suffix[1:])


def _is_text(head: bytes) -> bool:
    """UTF-8 or marked UTF-16; a sign cut at the end of the head is no fault."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


def _old_office(file: Path) -> str:
    """The container of Word 97 documents, and of newer ones that a password protects."""
    if "EncryptedPackage".encode("utf-16-le") in file.read_bytes():
        raise UnreadableError("is encrypted; save a copy without the password")
    return "doc"


def _zipped(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            kind = archive.read("mimetype")[:80] if "mimetype" in names and archive.getinfo("mimetype").file_size < 200 else b""
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise UnreadableError("is damaged or cut off: the list of what it holds is missing") from None
    if "META-INF/container.xml" in names or kind.startswith(b"application/epub+zip"):
        return "epub"
    if "word/document.xml" in names:
        return "docx"
    if kind.startswith(b"application/vnd.oasis.opendocument.text"):
        return "odt"
    raise UnreadableError("is an archive without a document in it; unpack it and name what lies inside")
