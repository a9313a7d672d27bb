"""The picture of a style is one file that shows what was measured."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from lorewright.data.style import Style, analyse, system_prompt
from lorewright.data.style.picture import style_page

TEXT = "I was late. I took the stairs; my room was cold, and the tide clock had stopped.\n\n“You are late,” she said."


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that each is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "link", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_self_contained(page: str) -> None:
    tags = Tags(page).seen
    assert not any(tag in {"script", "link", "img", "iframe"} for tag, _ in tags)
    assert not any((value or "").startswith(("http", "//")) for _, attributes in tags for value in attributes.values())
    assert "http" not in page.replace("http://example", "")
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.req("F3")
def test_page_shows_what_was_measured() -> None:
    style = analyse([TEXT])
    page = style_page(style, system_prompt(style), "The voice of test")
    assert_self_contained(page)
    assert system_prompt(style) in page
    assert f"dialogue {100 * style.dialogue:.0f}\u202f%" in page
    assert page.count("<svg") == 4
    assert "prefers-color-scheme: dark" in page
    assert "semicolon" in page


def test_page_escapes_what_it_is_given() -> None:
    page = style_page(analyse(["<script>alert(1)</script> was here. I <b>said</b> so."]), "<script>alert(2)</script>", "<img src=x>")
    assert_self_contained(page)
    assert "&lt;script&gt;alert(2)" in page


def test_nothing_measured_still_makes_a_page() -> None:
    assert_self_contained(style_page(Style(), ""))
    assert_self_contained(style_page(analyse(["她把门关上。"]), "x"))
