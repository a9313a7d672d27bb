"""The stream of passages: nothing lost, nothing too long, in every unit and script, however the paragraphs arrive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorewright.data.clean import clean, paragraphs
from lorewright.data.hold_out import Place, hold_out
from lorewright.data.measure import Measure, measure
from lorewright.data.sentences import sentences
from lorewright.data.split import Cut, Splitter, split
from lorewright.data.structure import SCENE_BREAK
from lorewright.recipe import Chunk

WORDS = [
    "word",
    "I",
    "“No!”",
    "end.",
    "雨が降る。",
    "verylongwordwithoutanyspaces",
    "Да.",
    "e\u0301",
    "1984",
    "—",
    "it's",
    "ก็ไม่รู้",
    "\n",
    "你好世界这是",
]
PARAGRAPH = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join)
TEXT = st.lists(st.one_of(PARAGRAPH, PARAGRAPH, st.sampled_from([SCENE_BREAK, "# Chapter Two"])), min_size=1, max_size=20).map("\n\n".join)
CHUNK = st.tuples(st.integers(16, 160), st.floats(0, 1), st.floats(0, 0.5)).map(
    lambda x: (x[0], max(1, int(x[0] * x[1])), int(x[0] * x[2]))
)


@pytest.fixture(scope="module")
def measures(tiny_model: Path) -> dict[str, Measure]:
    return {unit: measure(unit, str(tiny_model)) for unit in ("words", "characters", "tokens")}


def bare(text: str) -> str:
    return re.sub(r"\s|\*", "", text)


def cuts_of(text: str, chunk: Chunk, length: Measure, batch: int, *, headings: bool = True) -> list[Cut]:
    splitter = Splitter(chunk, length, headings)
    parts = paragraphs(text)
    cuts = [cut for at in range(0, len(parts), batch) for cut in splitter.feed(parts[at : at + batch])]
    return [*cuts, *splitter.end()]


@pytest.mark.req("F3", "S2")
@settings(max_examples=300)
@given(
    text=TEXT.map(clean),
    sizes=CHUNK,
    unit=st.sampled_from(["words", "characters", "tokens"]),
    batch=st.integers(1, 7),
    headings=st.booleans(),
)
def test_no_sign_is_lost_and_no_passage_too_long(
    measures: dict[str, Measure], text: str, sizes: tuple[int, int, int], unit: str, batch: int, headings: bool
) -> None:
    most, least, _ = sizes
    cuts = cuts_of(text, Chunk(unit, least, most, 0), measures[unit], batch, headings=headings)
    wanted = [part for part in paragraphs(text) if headings or not part.startswith("#")]
    assert bare("".join(cut.text for cut in cuts)) == bare("".join(wanted))
    for cut in cuts:
        assert measures[unit](cut.text) <= min(most, cut.length)
        assert cut.text == cut.text.strip() != ""


@settings(max_examples=200)
@given(
    text=TEXT.map(clean),
    sizes=CHUNK,
    unit=st.sampled_from(["words", "characters", "tokens"]),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 99),
)
def test_an_overlap_repeats_and_never_leaks_into_validation(
    measures: dict[str, Measure], text: str, sizes: tuple[int, int, int], unit: str, share: float, seed: int
) -> None:
    most, least, overlap = sizes
    cuts = cuts_of(text, Chunk(unit, least, most, overlap), measures[unit], 3, headings=False)
    whole = bare("".join(part for part in paragraphs(text) if not part.startswith("#")))
    seen = 0
    for cut in cuts:  # every passage stands in the document, begins where the last ended or before, and goes on
        assert measures[unit](cut.text) <= most
        assert bare(cut.text) in whole
        assert cut.begin <= seen < cut.end or seen == 0
        seen = cut.end
    places = [Place("one", n, len(c.text), c.length, c.begin, c.end, c.opens) for n, c in enumerate(cuts)]
    training, validation = hold_out(places, share, seed, overlap)
    if validation:
        assert training
        first, last = validation[0], training[-1]
        assert last.end <= first.begin
        between = [place for place in places if last.number < place.number < first.number]
        assert between
        assert sum(place.length for place in between) >= min(overlap, 1)
        assert sum(place.length for place in between) >= overlap or first.begin - last.end >= overlap


def test_the_rest_of_a_scene_is_not_left_short(measures: dict[str, Measure]) -> None:
    text = "\n\n".join(f"Paragraph {number} is ten words long, no more, no less." for number in range(11))
    lengths = [measures["words"](part) for part in split(text, Chunk("words", 30, 100, 0), measures["words"])]
    assert lengths == [50, 60], "two of about the same length, not one of 100 and one of 10"


def test_a_chapter_begins_a_passage_and_names_it(measures: dict[str, Measure]) -> None:
    body = "\n\n".join("Seven words stand in this very line." for _ in range(6))
    cuts = cuts_of(f"CHAPTER I\n\n{body}\n\nCHAPTER II\n\n{body}", Chunk("words", 20, 60, 10), measures["words"], 50, headings=False)
    assert [(cut.opens, cut.chapter) for cut in cuts] == [("chapter", "CHAPTER I"), ("chapter", "CHAPTER II")]
    assert all("CHAPTER" not in cut.text for cut in cuts)


def test_no_passage_ends_with_a_kept_heading(measures: dict[str, Measure]) -> None:
    body = "\n\n".join("Seven words stand in this very line." for _ in range(6))
    cuts = cuts_of(f"{body}\n\n# Two\n\n{body}\n\n# Three\n\nShort.", Chunk("words", 40, 60, 0), measures["words"], 50)
    assert not any(cut.text.split("\n\n")[-1].startswith("#") for cut in cuts)


def test_chinese_counts_by_signs_and_is_cut_after_sentences(measures: dict[str, Measure]) -> None:
    assert measures["words"]("你好，世界 two") == 6
    text = "雨下了一整夜。" * 30
    cuts = split(text, Chunk("words", 20, 70, 0), measures["words"])
    assert "".join(cuts) == text, "no space is put between sentences that had none"
    assert all(cut.endswith("。") and measures["words"](cut) <= 70 for cut in cuts)


@pytest.mark.req("F3", "P1")
def test_the_end_of_one_manuscript_is_held_out_from_a_chapter_on() -> None:
    places = [Place("m", n, 100, 20, n * 100, n * 100 + 100, "chapter" if n % 6 == 0 else "") for n in range(60)]
    training, validation = hold_out(places, 0.15, 1, 30)
    assert (validation[0].number, len(validation)) == (48, 12) or (validation[0].number, len(validation)) == (54, 6)
    assert validation[0].number - training[-1].number - 1 == 2, "a gap of at least the overlap: two passages of 20"


def test_a_few_large_documents_give_the_end_of_one_not_a_half_of_all() -> None:
    places = [Place(name, n, 100, 20, n * 100, n * 100 + 100) for name in ("a", "b") for n in range(50)]
    training, validation = hold_out(places, 0.1, 3, 0)
    assert len(validation) == 10
    assert len({place.document for place in validation}) == 1
    assert len(training) == 89


def test_a_note_beside_a_novel_is_not_all_that_is_held_out() -> None:
    places = [Place("novel", n, 100, 20, n * 100, n * 100 + 100) for n in range(100)] + [Place("note", 0, 80, 16, 0, 80)]
    training, validation = hold_out(places, 0.1, 1, 0)
    assert {place.document for place in validation} == {"novel", "note"}
    assert len(validation) == 10
    assert (len(training), training[-1].number) == (90, 89), "one passage is the gap"


def test_no_sentence_ends_after_a_title_or_an_initial() -> None:
    text = "I met Mr. Marrable and R. Ibbs by St. Paul's. It was he and I. Then we ate. “So,” said Mrs. Holm."
    assert sentences(text) == ["I met Mr. Marrable and R. Ibbs by St. Paul's.", "It was he and I.", "Then we ate.", "“So,” said Mrs. Holm."]
