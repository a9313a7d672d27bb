"""Passages: bounds honoured, nothing lost, cuts where a reader would make them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data import spool
from lorewright.data.clean import SCENE_BREAK, clean
from lorewright.data.formats.passages import Passage, example, instruction, people_in
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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("He said that Miss Elphinstone had gone, and Miss Elphinstone was right.", ["Miss Elphinstone"]),
        ("I saw, when Mrs. Cavendish came, that Cavendish had a hat; so Mrs. Cavendish laughed.", ["Mrs. Cavendish"]),
        ("It was, Anna said, the house that Anna's mother built.", ["Anna"]),
        ("They fled the Heat from there, and the Heat followed; it was a heat that burned.", []),
        ("We lived in Morrow then. Nobody who left for Morrow came back, and to Morrow we went.", []),
        ("She put on, with care, Tin Woodman armour that Tin Woodman had, for Tin was cheap and Tin was light.", ["Tin Woodman"]),
    ],
)
def test_only_somebody_is_named(text: str, names: list[str]) -> None:
    assert people_in(text) == names


def test_a_document_that_is_too_large_gives_its_end() -> None:
    """Asked for a quarter, never nearly a half: of a small book and three large ones."""
    sizes = {"small": 8, "a": 39, "b": 40, "c": 30}
    places = [Place(name, number, 1000, 1000, number * 1000, (number + 1) * 1000) for name, size in sizes.items() for number in range(size)]
    for seed in range(12):
        held = len(hold_out(places, 0.25, seed)[1])
        assert 0.12 * len(places) <= held <= 0.38 * len(places)


def test_a_sample_is_everything_until_it_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SAMPLE", 1000)
    texts = [f"{number:03d}" + "x" * (97 if number % 2 else 0) for number in range(18)]
    small = spool.Sample(1)
    for text in texts:
        small.add(text)
    assert small.texts() == texts
    short = 0
    for seed in range(40):
        large = spool.Sample(seed)
        for text in texts * 20:
            large.add(text)
        kept = large.texts()
        assert 800 <= sum(map(len, kept)) <= 1000
        short += sum(len(text) == 3 for text in kept)
    assert 7 <= short / 40 <= 17, "a short text is drawn as often as a long one, of which about ten have room"
