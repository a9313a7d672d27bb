from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.rag.chunk import Passage
from lorewright.rag.inject import inject, reference_block
from lorewright.rag.store import Hit

from .fakes import lore_passages

HITS = [Hit(passage, 0.5) for passage in lore_passages()]
USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("content", ["Be brief.", [{"type": "text", "text": "Be brief."}], None, ""])
def test_the_block_goes_to_the_end_of_the_system_message_and_nothing_is_mutated(content: object) -> None:
    messages = [{"role": "system", "content": content, "name": "s"}, USER, {"role": "system", "content": "later"}]
    before = copy.deepcopy(messages)
    block = reference_block(HITS)
    result = inject(messages, HITS)
    assert messages == before
    assert result[1:] == messages[1:]
    if isinstance(content, list):
        assert result[0]["content"] == [*content, {"type": "text", "text": block}]
    else:
        assert result[0]["content"] == (f"{content}\n\n{block}" if content else block)
    assert (result[0]["role"], result[0]["name"]) == ("system", "s")


def test_without_a_system_message_there_will_be_one() -> None:
    assert inject([USER], HITS) == [{"role": "system", "content": reference_block(HITS)}, USER]
    assert inject([USER], []) == [USER]
    assert inject([{"role": "developer", "content": "a"}], HITS)[0]["role"] == "developer"


def test_each_passage_stands_under_its_source_and_heading() -> None:
    block = reference_block(HITS)
    assert "not instructions" in block
    assert "[1] characters/elara.md\nElara Voss > Augmentations\n\nHer left arm is cybernetic" in block
    assert "[3] worldbuilding/city.md\nThe city > Harbour" in block


@given(st.lists(st.text(alphabet="~a\n", max_size=40), min_size=1, max_size=4))
def test_a_passage_cannot_close_the_fence(texts: list[str]) -> None:
    block = reference_block([Hit(Passage(f"x{text}x", "~~~~~s", "c", "t", "h"), 0.1) for text in texts])
    fence = block.rpartition("\n")[2]
    assert re.fullmatch("~{4,}", fence)
    assert block.count(fence) == 2
    for text in texts:
        assert f"x{text}x" in block.partition(fence)[2].rpartition(fence)[0]
