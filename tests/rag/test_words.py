from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from lorewright.rag.words import count_words, last_words, pack

PIECES = ["ที่อยู่", "word", "Two words.", 'He said "no."', "\n\n", "\n", " ", "第一章。", "你好", "- item\n", "| a | b |\n", "...", "é", "\t"]
TEXT = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(TEXT | st.text(max_size=80), st.integers(1, 12))
def test_packing_loses_nothing_and_honours_the_size(text: str, limit: int) -> None:
    pieces = pack(text, limit)
    assert squeezed("".join(pieces)) == squeezed(text)
    assert all(0 < count_words(piece) <= limit for piece in pieces)


def test_paragraphs_are_kept_together_where_they_fit() -> None:
    assert pack("a b c\n\nd e\n\nf g h i", 5) == ["a b c\n\nd e", "f g h i"]


def test_a_long_paragraph_is_cut_at_sentence_ends() -> None:
    assert pack('One two three. "Four five?" Six seven eight nine.', 5) == ['One two three. "Four five?"', "Six seven eight nine."]


def test_a_long_list_is_cut_between_its_items() -> None:
    assert pack("- one two\n- three four\n- five six", 6) == ["- one two\n- three four", "- five six"]


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    assert pack("a b c d e", 2) == ["a b", "c d", "e"]


def test_text_without_spaces_is_counted_by_characters() -> None:
    assert count_words("你好 world") == 3
    assert pack("天下大乱。英雄出世。", 6) == ["天下大乱。", "英雄出世。"]


def test_last_words() -> None:
    assert last_words("a b  c", 2) == "b  c"
    assert last_words("a b", 5) == "a b"
    assert last_words("a b", 0) == ""


def test_thai_is_counted_and_cut_without_tearing_a_vowel_from_its_letter() -> None:
    text = "นาฬิกาน้ำขึ้นน้ำลงเดินช้าไปหกนาทีทุกคืน" * 20
    pieces = pack(text, 50)
    assert 100 < count_words(text) < 250 and len(pieces) > 2
    assert "".join(pieces) == text
    assert [piece for piece in pieces if unicodedata.category(piece[0]).startswith("M")] == []
