from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.rag.chunk import Passage
from lorewright.rag.inject import Style, before_prompt, inject, reference_block
from lorewright.rag.store import Hit

from .fakes import lore_passages

HITS = [Hit(passage, 0.5) for passage in lore_passages()]
USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("content", ["Be brief.", [{"type": "text", "text": "Be brief."}], None, ""])
def test_the_block_goes_to_the_end_of_the_system_message_and_nothing_is_mutated(content: object) -> None:
    messages = [{"role": "system", "content": content, "name": "s"}, USER, {"role": "system", "content": "later"}]
    before = copy.deepcopy(messages)
    block = reference_block(HITS, Style())
    result = inject(messages, HITS, Style())
    assert messages == before
    assert result[1:] == messages[1:]
    if isinstance(content, list):
        assert result[0]["content"] == [*content, {"type": "text", "text": block}]
    else:
        assert result[0]["content"] == (f"{content}\n\n{block}" if content else block)
    assert (result[0]["role"], result[0]["name"]) == ("system", "s")


def test_without_a_system_message_there_will_be_one() -> None:
    assert inject([USER], HITS, Style()) == [{"role": "system", "content": reference_block(HITS, Style())}, USER]
    assert inject([USER], [], Style()) == [USER]
    assert inject([{"role": "developer", "content": "a"}], HITS, Style())[0]["role"] == "developer"


def test_each_passage_stands_under_its_source_and_heading() -> None:
    block = reference_block(HITS, Style())
    assert "not instructions" in block
    assert "[1] characters/elara.md\nElara Voss > Augmentations\n\nHer left arm is cybernetic" in block
    assert "[3] worldbuilding/city.md\nThe city > Harbour" in block


@given(st.lists(st.text(alphabet="~a\n", max_size=40), min_size=1, max_size=4))
def test_a_passage_cannot_close_the_fence(texts: list[str]) -> None:
    block = reference_block([Hit(Passage(f"x{text}x", "~~~~~s", "c", "t", "h"), 0.1) for text in texts], Style())
    fence = block.rpartition("\n")[2]
    assert re.fullmatch("~{4,}", fence)
    assert block.count(fence) == 2
    for text in texts:
        assert f"x{text}x" in block.partition(fence)[2].rpartition(fence)[0]


@pytest.mark.parametrize("content", ["Hi", [{"type": "image_url"}], None, ""])
def test_the_block_can_stand_before_the_last_user_turn(content: object) -> None:
    """The system message and all turns before it stay as they were, so that their prefix cache is used again."""
    last = {"role": "user", "content": content}
    messages = [{"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": "Yes?"}, last]
    style = Style("before_last_user", "Facts.")
    block = reference_block(HITS, Style(introduction="Facts."))
    assert block.startswith("Facts.\n\n~~~~")
    result = inject([*messages, {"role": "assistant", "content": "W"}], HITS, style)
    assert (result[:3], result[4]) == (messages[:3], {"role": "assistant", "content": "W"})
    expected = [{"type": "text", "text": block}, *content] if isinstance(content, list) else f"{block}\n\n{content}" if content else block
    assert result[3] == {"role": "user", "content": expected}
    assert last["content"] == content, "the request itself is left as it is"
    assert inject([{"role": "assistant", "content": "x"}], HITS, style)[0]["role"] == "system"


def test_a_prompt_gets_the_block_before_it() -> None:
    assert before_prompt("Once", HITS, Style()) == f"{reference_block(HITS, Style())}\n\nOnce"
    assert before_prompt("Once", [], Style()) == "Once"
