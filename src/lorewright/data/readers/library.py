"""OpenDocument, RTF and other formats, through the extraction library (kreuzberg)."""

from __future__ import annotations

import re
from pathlib import Path

from lorewright.data.readers.archive import opened, part
from lorewright.data.readers.refusal import Reading, UnreadableError

MIME = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "odt": "application/vnd.oasis.opendocument.text",
    "doc": "application/msword", "rtf": "application/rtf", "fb2": "application/x-fictionbook+xml", "rst": "text/x-rst", "org": "text/x-org",
    "tex": "application/x-latex", "html": "text/html", "epub": "application/epub+zip", "pdf": "application/pdf",
}  # fmt: skip


def read_library(file: Path, kind: str) -> Reading:
    """The document as Markdown. Raises UnreadableError when it holds no text; the library's own errors pass."""
    from kreuzberg import ExtractionConfig, extract_file_sync

    if kind in ("docx", "odt", "epub"):
        _check_parts(file)
    result = extract_file_sync(file, MIME[kind], ExtractionConfig(output_format="markdown", use_cache=False))
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", str(result.content))
    if not text.strip():
        raise UnreadableError("holds no text")
    title = (result.metadata or {}).get("title")
    return Reading(_raised(_unescaped(text)).strip() + "\n", title if isinstance(title, str) else "")


def _unescaped(text: str) -> str:
    """Without bold and italics, and with the signs that Markdown takes for its own as the writer meant them."""
    text = re.sub(r"(?<![\\*])(\*{1,3})(?=[^\s*])([^\n]+?)(?<=[^\s\\*])\1(?!\*)", r"\2", text)
    return re.sub(r"\\([*_\[\]()<>~`.!+{}|-])", r"\1", text)


def _raised(text: str) -> str:
    """The library keeps `#` for a title; where there is none, chapters get it."""
    least = min((len(sign) for sign in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)), default=1)
    return re.sub(r"^(#{1,6}) ", lambda sign: f"{'#' * (len(sign[1]) - least + 1)} ", text, flags=re.MULTILINE)


def _check_parts(file: Path) -> None:
    """Office documents have no document type, so one that has is up to something."""
    with opened(file) as archive:
        for name in archive.namelist():
            if name.endswith(".xml") and b"<!ENTITY" in part(archive, name):
                raise UnreadableError("declares XML entities, as an XML bomb does and no document needs; left alone")
