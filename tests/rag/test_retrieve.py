from __future__ import annotations

import pytest

from lorewright.errors import LorewrightError
from lorewright.rag.retrieve import Search, query_text, require_same_model, retrieve
from lorewright.rag.store import Index
from lorewright.rag.words import count_words

from .fakes import WordEmbedder


@pytest.mark.req("F7")
def test_near_passages_are_kept_and_far_ones_dropped_with_the_reason(index: Index) -> None:
    found = retrieve(index, WordEmbedder(), "Elara cybernetic arm", Search(3, 0.8))
    assert [hit.passage.heading for hit in found.hits] == ["Augmentations", "Voice"]
    assert [(one.hit.passage.heading, one.reason) for one in found.dropped] == [("Harbour", "farther than 0.8")]
    assert found.milliseconds > 0
    assert len(retrieve(index, WordEmbedder(), "Elara", Search(1, 2)).hits) == 1


def test_another_model_than_the_index_was_made_with_is_refused(index: Index) -> None:
    embedder = WordEmbedder()
    require_same_model(index, embedder)
    embedder.name = "other"
    with pytest.raises(LorewrightError, match=r"made with words \(64 numbers\), the proxy uses other .*ingest the lore again"):
        require_same_model(index, embedder)


def test_the_query_is_the_last_two_user_turns_newest_last() -> None:
    parts = [{"type": "text", "text": "And"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "her arm?"}]
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": "Who is Elara?"},
        {"role": "assistant", "content": "A pilot.", "tool_calls": []},
        {"role": "user", "content": parts},
        {"role": "user", "content": None},
    ]
    assert query_text(messages) == "Who is Elara?\nAnd\nher arm?"
    assert query_text(messages[:1]) == "first"
    assert query_text([{"role": "system", "content": "x"}]) == ""


def test_the_newest_turn_survives_a_long_one_before_it() -> None:
    long = "word " * 500
    query = query_text([{"role": "user", "content": long}, {"role": "user", "content": "Who is Elara?"}])
    assert query.endswith("\nWho is Elara?")
    assert count_words(query) == 180


def test_half_a_surrogate_pair_does_not_reach_the_tokenizer() -> None:
    assert query_text([{"role": "user", "content": "a\ud83d"}]).encode() == b"a?"
