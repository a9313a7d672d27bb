"""HTML pages: the article itself where the page marks it, else its body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lorewright.data.readers.archive import PART
from lorewright.data.readers.epub import NOT_BODY
from lorewright.data.readers.markup import Writer, parse_html, text_of, to_markdown
from lorewright.data.readers.refusal import Reading, UnreadableError

BESIDE = ("footer", "aside")


def read_html(file: Path) -> Reading:
    """The page's text. Raises UnreadableError when there is none."""
    if file.stat().st_size > PART:
        raise UnreadableError("is larger than a page of text can be; split it")
    root = parse_html(file.read_bytes())
    title = text_of(root.find(".//title")) if root.find(".//title") is not None else ""
    main = _main(root)
    writer = Writer(NOT_BODY)
    for element in [found for name in BESIDE for found in main.iter(name)]:
        if not any(parent.tag == "blockquote" for parent in element.iterancestors()) and element is not main:
            element.drop_tree()
    writer.walk(main)
    text = to_markdown(writer.blocks)
    if not text.strip():
        raise UnreadableError("holds no text")
    return Reading(text, title, {"notes and marks": writer.skipped})


def _main(root: Any) -> Any:
    """<main>, or the only <article>, or the body."""
    mains = root.findall(".//main")
    articles = root.findall(".//article")
    body = root.find(".//body")
    return mains[0] if mains else articles[0] if len(articles) == 1 else body if body is not None else root
