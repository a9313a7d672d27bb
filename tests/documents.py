"""Documents made for tests: small books of every format, and files that are broken in every way we know of."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

PROSE = (
    "The ferry came in an hour late, and nobody on the quay asked why. Marta counted the crates twice and wrote a number down that was "
    "neither of the two. “You might at least look at them,” said her brother. She did not look. The wind had gone round to the north."
)
XHTML = '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
BOMB = '<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'


def chapter(body: str, types: str = "bodymatter") -> str:
    return f'{XHTML}<head><title>x</title></head><body epub:type="{types}">{body}</body></html>'


def epub(file: Path, parts: Mapping[str, str], *, title: str = "The Ferry", more: Mapping[str, bytes] | None = None) -> Path:
    """An EPUB whose spine is the parts, name -> XHTML, in order. more: further files of the archive."""
    items = "".join(f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(parts))
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(parts)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="in/book.opf"/></rootfiles></container>'
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("in/book.opf", package)
        for name, text in {**{f"in/{name}": text for name, text in parts.items()}, **(more or {})}.items():
            archive.writestr(name, text)
    return file


def docx(file: Path, paragraphs: list[tuple[str, str]], head: str = "") -> Path:
    """A Word document of (style, text) paragraphs. head: put before the root element."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>' for style, text in paragraphs)
    kinds = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Target="word/document.xml" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", kinds)
        archive.writestr("_rels/.rels", relations)
        archive.writestr("word/document.xml", f'{head}<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>')
    return file


def pdf(file: Path, pages: list[list[str]]) -> Path:
    """A PDF with the pages' lines, one below another."""
    canvas = Canvas(str(file), pagesize=A5)
    for lines in pages:
        text = canvas.beginText(50, 500)
        text.setFont("Times-Roman", 11)
        for line in lines:
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return file


def encrypted_pdf(file: Path) -> Path:
    writer = PdfWriter(clone_from=PdfReader(pdf(file, [["secret"]])))
    writer.encrypt("word", algorithm="AES-256")
    writer.write(file)
    return file


def scanned_pdf(file: Path) -> Path:
    """Pages with a grey square and no text."""
    canvas = Canvas(str(file), pagesize=A5)
    for _ in range(3):
        canvas.rect(50, 50, 200, 300, fill=1)
        canvas.showPage()
    canvas.save()
    return file


def bad_files(folder: Path) -> dict[str, str]:
    """Fills a folder with every bad file; returns name -> a part of the reason that each must get."""
    book = chapter(f"<h2>I</h2><p>{PROSE}</p>")
    whole = epub(folder / "cut_short.epub", {"a.xhtml": book}).read_bytes()
    (folder / "cut_short.epub").write_bytes(whole[: len(whole) // 2])
    whole = pdf(folder / "cut_short.pdf", [[PROSE]] * 20).read_bytes()
    (folder / "cut_short.pdf").write_bytes(whole[:200])
    (folder / "empty.txt").write_bytes(b"")
    (folder / "empty.pdf").write_bytes(b"")
    (folder / "blank.md").write_text(" \n\t\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9 at night")
    (folder / "zeros.txt").write_bytes(b"text\0with zeros")
    (folder / "rubbish.epub").write_bytes(bytes(range(250, 0, -1)) * 20)
    (folder / "rubbish.pdf").write_bytes(bytes(range(250, 0, -1)) * 20)
    (folder / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (folder / "start_only.epub").write_bytes(b"PK")
    encrypted_pdf(folder / "locked.pdf")
    scanned_pdf(folder / "scan.pdf")
    locks = b'<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></EncryptedData></encryption>'
    epub(folder / "locked.epub", {"a.xhtml": book}, more={"META-INF/encryption.xml": locks})
    (folder / "locked.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"))
    epub(folder / "zip_bomb.epub", {"a.xhtml": book}, more={"in/big.css": bytes(60 << 20)})
    lying_bomb(folder / "lying_bomb.epub", book)
    epub(folder / "xml_bomb.epub", {"a.xhtml": BOMB + chapter("<p>&c;</p>")})
    docx(folder / "xml_bomb.docx", [("Normal", "&c;")], BOMB)
    epub(folder / "front_only.epub", {"a.xhtml": chapter("<p>Imprint</p>", "frontmatter")})
    epub(folder / "hollow.epub", {"a.xhtml": book})
    _without(folder / "hollow.epub", "in/a.xhtml")
    with zipfile.ZipFile(folder / "archive.epub", "w") as archive:
        archive.writestr("holiday.txt", "no book")
    (folder / "broken.json").write_text('{"INTRODUCTION": {"improved": "x"')
    (folder / "other.json").write_text(json.dumps({"rows": [1, 2, 3]}))
    (folder / "deep.json").write_text("[" * 200_000)
    return {
        "cut_short.epub": "is damaged or cut off", "cut_short.pdf": "is damaged or cut off", "empty.txt": "is empty", "empty.pdf": "is empty",
        "blank.md": "holds no text", "latin.txt": "is not UTF-8 text (byte 3)", "zeros.txt": "holds zero bytes", "rubbish.epub": "is no EPUB",
        "rubbish.pdf": "is no PDF", "picture.txt": "is a picture (PNG), whatever its name says", "picture.png": ".png files are not read",
        "start_only.epub": "is cut off", "locked.pdf": "is encrypted", "scan.pdf": "only pictures of 3 pages (a scan)",
        "locked.epub": "is encrypted (DRM)", "locked.docx": "is encrypted", "zip_bomb.epub": "a zip bomb", "lying_bomb.epub": "is damaged",
        "xml_bomb.epub": "declares XML entities", "xml_bomb.docx": "declares XML entities", "front_only.epub": "holds no text in its body",
        "hollow.epub": "it names in/a.xhtml, which is not inside", "archive.epub": "an archive without a document",
        "broken.json": "is not valid JSON (line 1", "other.json": "without a section", "deep.json": "nested too deeply",
    }  # fmt: skip


def lying_bomb(file: Path, book: str) -> None:
    """Its directory says that a part of 20 MB has 100 bytes."""
    epub(file, {"a.xhtml": book.replace("<p>", f"<p>{'a' * (20 << 20)}")})
    raw = bytearray(file.read_bytes())
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        size = archive.getinfo("in/a.xhtml").file_size
    raw = bytearray(bytes(raw).replace(struct.pack("<L", size), struct.pack("<L", 100)))
    file.write_bytes(raw)


def _without(file: Path, name: str) -> None:
    with zipfile.ZipFile(file) as archive:
        kept = {entry: archive.read(entry) for entry in archive.namelist() if entry != name}
    with zipfile.ZipFile(file, "w") as archive:
        for entry, content in kept.items():
            archive.writestr(entry, content)
