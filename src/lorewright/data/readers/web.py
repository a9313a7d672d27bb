"""HTML pages: the article itself where the page marks it, else its body."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lorewright.data.readers.archive import PART
from lorewright.data.readers.epub import NOT_BODY
from lorewright.data.readers.markup import Writer, parse_html, text_of, to_markdown
from lorewright.data.readers.refusal import Reading, UnreadableError

BESIDE = ("footer", "aside", "figcaption")
# What sites call the parts of a page that are not the article, in class or id.
_NAMED = re.compile(
    r"(?:^|[\s_-])(?:cookies?|consent|related|recommended|comments?|respond|disqus|share|sharing|social|sidebar|newsletter|subscribe|breadcrumbs?"
    r"|menu|navbar|navigation|masthead|promo|advert\w*|sponsored|footnotes|endnotes|references|reflist|toc|byline|post-meta|entry-meta|caption"
    r"|site-header|site-footer|skip-link|mw-editsection)(?:$|[\s_-])",
    re.IGNORECASE,
)
_ROLES = {"banner", "navigation", "complementary", "contentinfo", "search"}
ARTICLE = 0.4  # of the page's text; an element that holds as much is no side matter, whatever it is called


def read_html(file: Path) -> Reading:
    """The page's text. Raises UnreadableError when there is none."""
    if file.stat().st_size > PART:
        raise UnreadableError("is larger than a page of text can be; split it")
    root = parse_html(file.read_bytes())
    title = text_of(root.find(".//title")) if root.find(".//title") is not None else ""
    main = _main(root)
    writer = Writer(NOT_BODY)
    beside = _drop_beside(main)
    writer.walk(main)
    text = to_markdown(writer.blocks)
    if not text.strip():
        raise UnreadableError("holds no text")
    return Reading(text, title, {"parts beside the article": beside, "notes and marks": writer.skipped})


def _drop_beside(main: Any) -> int:
    """Takes out what stands beside the article, however the page says so; how many parts that were."""
    most = ARTICLE * len(text_of(main))
    gone = 0
    for element in [found for found in main.iterdescendants() if isinstance(found.tag, str) and _is_beside(found)]:
        attached = element is main or any(parent is main for parent in element.iterancestors())
        if attached and len(text_of(element)) <= most and not any(parent.tag == "blockquote" for parent in element.iterancestors()):
            gone += bool(text_of(element))
            element.drop_tree()
    return gone


def _is_beside(element: Any) -> bool:
    if element.tag in BESIDE or element.get("role") in _ROLES:
        return True
    if element.tag == "header":  # of the page; an article's own holds its heading
        return element.find(".//h1") is None and not any(parent.tag == "article" for parent in element.iterancestors())
    if element.tag in ("html", "body", "main", "article", "p", "h1", "h2", "h3"):
        return False
    return bool(_NAMED.search(element.get("class") or "") or _NAMED.search(element.get("id") or ""))


def _main(root: Any) -> Any:
    """<main>, or the only <article>, or the body."""
    mains = root.findall(".//main")
    articles = root.findall(".//article")
    body = root.find(".//body")
    return mains[0] if mains else articles[0] if len(articles) == 1 else body if body is not None else root
