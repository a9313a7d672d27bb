"""Markdown as writers really type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.data.clean import clean, paragraphs
from lorewright.data.documents import Document
from lorewright.data.structure import SCENE_BREAK, heading


def opened(tmp_path: Path, text: str) -> tuple[str, str]:
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    title, body = Document("a.md", tmp_path / "a.md", len(text), "").opened()
    assert isinstance(body, str)
    return title, body


def test_headings_however_they_are_typed(tmp_path: Path) -> None:
    text = "#Chapter One\n\nA.\n\nTwo\n===\n\nB.\n\n## Three ## {#three .x}\n\nC.\n\n**Chapter 4**\n\n#1 fan, she said. It was #Nobody's badge.\n\nD."
    title, body = opened(tmp_path, text)
    assert [heading(text) for text in paragraphs(clean(body)) if heading(text)] == ["Chapter One", "Two", "Three", "Chapter 4"]
    assert title == "Chapter One"


def test_the_title_of_the_front_matter_is_the_documents(tmp_path: Path) -> None:
    assert opened(tmp_path, "---\ntitle: The Ledger\n---\n# One\n\nA.")[0] == "The Ledger"


def test_links_are_their_words_and_pictures_none(tmp_path: Path) -> None:
    body = opened(tmp_path, "See ![the map](map.png)[the *map*](http://a.org/b) [sic] (so).\n\n[a](https://a.org)<br>b")[1]
    assert body == "See the *map* [sic] (so).\n\na\nb"
    assert opened(tmp_path, 'See [the map](map.md "Map").')[1] == "See the map."


@pytest.mark.parametrize("sign", ["# # #", "###", "#", "* * *", "***", "~~~", "---", "❦", "◆ ◆ ◆", "＊＊＊", "§"])
def test_the_signs_of_a_scene_break(sign: str) -> None:
    assert paragraphs(clean(f"A.\n\n{sign}\n\nB.")) == ["A.", SCENE_BREAK, "B."]
    assert not heading(sign)
