"""One file a format: a document in, Markdown out. `engines` says who reads what, and who tries when the first one fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lorewright.data.readers.refusal import Reading

Reader = Callable[[Path], Reading]


def engines(kind: str, engine: str, device: str) -> list[tuple[str, Reader]]:
    """(name, reader) in the order in which they are tried; imported only now, in the worker process.

    kind: as kind_of says. engine: auto, light or docling. device: for docling.
    """
    from lorewright.data.readers import layout

    light = _light(kind)
    wanted = engine == "docling" or (engine == "auto" and device == "cuda" and kind == "pdf")
    if wanted and kind in layout.KINDS and layout.installed():
        return [("docling", lambda file: layout.read_layout(file, device)), light[0]]
    return light


def _light(kind: str) -> list[tuple[str, Reader]]:
    from lorewright.data.readers import plain
    from lorewright.data.readers.library import read_library

    def library(file: Path) -> Reading:
        return read_library(file, kind)

    if kind == "epub":
        from lorewright.data.readers.epub import read_epub

        return [("epub", read_epub), ("plain", plain.plain_epub)]
    if kind == "pdf":
        from lorewright.data.readers.pdf import read_pdf

        return [("pdf", read_pdf), ("plain", plain.plain_pdf)]
    if kind == "html":
        from lorewright.data.readers.web import read_html

        return [("html", read_html), ("library", library)]
    if kind == "json":
        from lorewright.data.readers.sections import read_sections

        return [("json", read_sections)]
    if kind == "docx":
        from lorewright.data.readers.word import read_word

        return [("word", read_word), ("library", library)]
    return [("library", library)]
