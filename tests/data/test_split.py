"""Passages: bounds honoured, nothing lost, cuts where a reader would make them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data.clean import SCENE_BREAK, clean
from lorewright.data.formats.passages import Passage, example, instruction
from lorewright.data.hold_out import Place, hold_out
from lorewright.data.split import sentences, split
from lorewright.recipe import Chunk


def words(text: str) -> int:
    return len(text.split())


def only_words(text: str) -> list[str]:
    return [word for word in text.split() if word != "*"]


WORDS = st.text(alphabet="abcdeéß.?!“”,", min_size=1, max_size=12).filter(str.strip)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=40).map(" ".join) | st.just(SCENE_BREAK), min_size=1, max_size=12).map("\n\n".join)


@pytest.mark.req("F3")
@given(text=TEXTS, low=st.integers(1, 10), more=st.integers(10, 60))
def test_no_word_is_lost_and_no_passage_too_long(text: str, low: int, more: int) -> None:
    text = clean(text)
    passages = split(text, Chunk("words", low, low + more, 0), words)
    assert [word for passage in passages for word in only_words(passage)] == only_words(text)
    assert all(words(passage) <= low + more for passage in passages)
    assert all(not passage.startswith(SCENE_BREAK) and not passage.endswith(SCENE_BREAK) for passage in passages)


@given(text=TEXTS, most=st.integers(16, 80))
def test_characters_never_exceed_the_limit_even_without_spaces(text: str, most: int) -> None:
    text = clean(text.replace(" ", ""))
    passages = split(text, Chunk("characters", 1, most, 0), len)
    assert all(len(passage) <= most for passage in passages)
    assert "".join("".join(passages).split()).replace("*", "") == "".join(text.split()).replace("*", "")


def test_cuts_fall_at_scene_breaks_first() -> None:
    scene = "The door closed. Nobody spoke for a while."
    text = f"{scene}\n\n{scene}\n\n{SCENE_BREAK}\n\n{scene}\n\n{scene}"
    assert split(text, Chunk("words", 10, 30, 0), words) == [f"{scene}\n\n{scene}"] * 2


def test_a_short_rest_joins_its_neighbour_where_it_fits() -> None:
    long, rest = "word " * 19 + "end.", "A short rest."
    assert split(f"{long}\n\n{rest}", Chunk("words", 10, 20, 0), words) == [long, rest]
    half = "word " * 11 + "end."
    assert split(f"{half}\n\n{SCENE_BREAK}\n\n{rest}", Chunk("words", 10, 20, 0), words) == [f"{half}\n\n{SCENE_BREAK}\n\n{rest}"]


def test_overlap_repeats_whole_sentences() -> None:
    text = "\n\n".join(f"Sentence number {number} stands here. And so does its twin {number}." for number in range(6))
    passages = split(text, Chunk("words", 5, 24, 7), words)
    for before, after in zip(passages, passages[1:], strict=False):
        repeated = after.split("\n\n")[0]
        assert before.endswith(repeated)
        assert 0 < words(repeated) <= 7
    assert all(words(passage) <= 24 for passage in passages)


def test_sentences_keep_their_closing_quotes() -> None:
    assert sentences("“Stop!” he said. “No.” She left… Nobody saw. Dr. smith stayed.") == [
        "“Stop!”", "he said.", "“No.”", "She left…", "Nobody saw.", "Dr. smith stayed.",
    ]  # fmt: skip


def passages_of(documents: int, each: int) -> list[Place]:
    return [Place(f"doc{d}", n, 100, 20, n * 100, n * 100 + 100) for d in range(documents) for n in range(each)]


@pytest.mark.req("F3")
def test_whole_documents_are_held_out_about_a_tenth_and_the_same_each_time() -> None:
    passages = passages_of(20, 5)
    training, validation = hold_out(passages, 0.1, seed=42)
    assert len(validation) == 10
    assert not {p.document for p in training} & {p.document for p in validation}
    assert sorted(training + validation, key=passages.index) == passages
    assert hold_out(passages, 0.1, seed=42) == (training, validation)
    assert hold_out(passages, 0.1, seed=43) != (training, validation)


def test_a_single_document_gives_its_end_behind_a_gap() -> None:
    passages = passages_of(1, 20)
    training, validation = hold_out(passages, 0.1, seed=42)
    assert [p.number for p in validation] == [18, 19]
    assert [p.number for p in training] == list(range(17)), "one passage between them is left out of both"


def test_nothing_to_hold_out() -> None:
    assert hold_out(passages_of(2, 1), 0.1, 1)[1] == []
    assert hold_out(passages_of(3, 4), 0.0, 1)[1] == []
    assert len(hold_out(passages_of(2, 4), 0.5, 1)[0]) == 4
    training, validation = hold_out(passages_of(1, 3), 0.5, 1)
    assert (len(training), len(validation)) == (1, 1), "something is always left to train on"


@pytest.mark.req("F3")
def test_example_is_system_user_assistant_and_tells_where_it_came_from() -> None:
    passage = Passage("a.md", "The Clock", 3, "We saw that Elena and Wim stood there, Elena above, Wim below. " * 20)
    made = example(passage, "Be brief.", seed=1)
    assert [turn["role"] for turn in made["messages"]] == ["system", "user", "assistant"]
    assert made["messages"][2]["content"] == passage.text
    assert (made["document"], made["passage"]) == ("a.md", 3)
    asked = instruction(passage, seed=1)
    assert "The Clock" in asked
    assert "Elena and Wim" in asked
    assert "250" in asked or "240" in asked
    assert asked == instruction(passage, seed=1)
