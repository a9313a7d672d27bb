from __future__ import annotations

import pytest

from lorewright.data.front_matter import FrontMatter, split_front_matter


def test_front_matter_is_read_and_left_out() -> None:
    text = "---\ntitle: 1984\ncategory: places\ntags: [sea, 2, '']\nother: [1]\n---\nText\n---\nmore"
    assert split_front_matter(text) == (FrontMatter("1984", "places", ("sea", "2")), "Text\n---\nmore", "")


def test_tags_as_one_line() -> None:
    assert split_front_matter("---\ntags: sea, ice\n...\n")[0].tags == ("sea", "ice")


@pytest.mark.parametrize("yaml", ["title: [unclosed", "date: 2024-13-45", "a: b: c"])
def test_broken_front_matter_still_yields_the_text(yaml: str) -> None:
    matter, rest, problem = split_front_matter(f"---\n{yaml}\n---\nText")
    assert (matter, rest) == (FrontMatter(), "Text")
    assert "not valid YAML" in problem


@pytest.mark.parametrize("text", ["---\nShe left.\n---\nHe stayed.", "No block.", "---\nnever closed: 1\n", "Text\n---\na: 1\n---\n"])
def test_what_is_no_front_matter_stays(text: str) -> None:
    assert split_front_matter(text) == (FrontMatter(), text, "")


def test_empty_front_matter_is_left_out() -> None:
    assert split_front_matter("---\n---\nText") == (FrontMatter(), "Text", "")
