from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lorewright.errors import LorewrightError
from lorewright.rag.choose import Dropped, choose
from lorewright.rag.chunk import Passage
from lorewright.rag.embed import Vectors
from lorewright.rag.retrieve import Retrieval, Search, query_text, require_same_model, retrieve
from lorewright.rag.store import Hit, Index, open_index, write_index
from lorewright.rag.words import count_words

from .fakes import WordEmbedder, lore_passages


@pytest.mark.req("F7")
def test_near_passages_are_kept_and_far_ones_dropped_with_the_reason(index: Index) -> None:
    found = retrieve(index, WordEmbedder(), "cybernetic arm of elara", Search(3, 0.65))
    assert [hit.passage.heading for hit in found.hits] == ["Augmentations", "Voice"]
    assert [(one.hit.passage.heading, one.reason) for one in found.dropped] == [("Harbour", "farther than 0.85")]
    assert found.milliseconds > 0
    assert len(retrieve(index, WordEmbedder(), "Elara", Search(1, 2)).hits) == 1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Ada's file has four passages in two sections, and two other files."""
    rows = [
        ("people/ada.md", "people", "Ada", "Bees", "The hives of Ada stand by the sea.", 0), ("people/ada.md", "people", "Ada", "Bees", "Honey of heather, honey of lime.", 0),
        ("people/ada.md", "people", "Ada", "Bees", "Smoke calms them in May.", 0), ("people/ada.md", "people", "Ada", "House", "A roof of honey coloured slate.", 1),
        ("places/quay.md", "places", "Quay", "Stone", "There Ada buys honey jars and rope.", 0), ("notes/tax.md", "notes", "Tax", "Law", "Rope and salt are free of tax.", 0),
    ]  # fmt: skip
    tags = {"people/ada.md": ("bees", "keeper")}
    passages = [
        Passage(f"{title} > {heading}\n\n{text}", source, kind, title, heading, tags.get(source, ()), section)
        for source, kind, title, heading, text, section in rows
    ]
    folder = tmp_path_factory.mktemp("world") / "index"
    write_index(folder, passages, WordEmbedder().passages([passage.text for passage in passages]), {"embedding_model": "words"})
    index = open_index(folder)
    yield index
    index.close()


def texts(found: Retrieval) -> list[str]:
    return [hit.passage.text.partition("\n\n")[2].split()[0] for hit in found.hits]


@pytest.mark.req("F7")
def test_a_name_brings_its_passages_however_far_and_nothing_else_does(world: Index) -> None:
    question = "weather tomorrow morning umbrella needed perhaps ada"
    found = retrieve(world, WordEmbedder(), question, Search(6, 0.1))
    assert set(texts(found)) == {"The", "Honey", "Smoke", "A", "There"}
    assert all(hit.distance > 0.1 for hit in found.hits)
    assert {one.reason for one in found.dropped} == {"farther than 0.3"}
    assert retrieve(world, WordEmbedder(), question, Search(5, 0.1, lexical=False)).hits == ()
    assert {one.reason for one in retrieve(world, WordEmbedder(), "umbrella", Search(5, 0.1)).dropped} == {"nothing is nearer than 0.1"}
    assert retrieve(world, WordEmbedder(), "honey jars rope tax", Search(5, 0.1)).hits == (), "words that are no names are no reason"


def test_a_near_passage_brings_others_that_are_a_little_farther() -> None:
    found = [Hit(passage, distance) for passage, distance in zip(lore_passages(), (0.49, 0.3, 0.51), strict=True)]
    hits, dropped = choose(found, set(), 5, 0.3, 0)
    assert [hit.distance for hit in hits] == [0.49, 0.3]
    assert [(one.hit.distance, one.reason) for one in dropped] == [(0.51, "farther than 0.5")]
    assert choose(found, set(), 2, 0.29, 0) == ([], [Dropped(hit, "nothing is nearer than 0.29") for hit in found[:2]])
    assert choose([], set(), 5, 0.3, 0) == ([], [])
    agreed = [found[0], replace(found[1], found_by="both"), found[2]]
    assert choose(agreed, set(), 5, 0.21, 0)[0] == agreed[1:2], "words and meaning agree"
    assert choose(agreed, set(), 5, 0.19, 0)[0] == []


@pytest.mark.req("F7")
def test_what_both_ways_find_comes_first_and_says_how_it_was_found(world: Index) -> None:
    class Blind(WordEmbedder):
        """Sees the same in every question."""

        def query(self, text: str) -> Vectors:
            return super().query("smoke calms them in may")

    found = retrieve(world, Blind(), "rope", Search(6, 2.0))
    by = {hit.passage.text.split()[-2]: hit.found_by for hit in found.hits}
    assert by["and"] == "both"
    assert set(by.values()) <= {"both", "dense"}
    assert found.hits[0].found_by == "both"
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)


def test_what_only_words_find_has_its_true_distance(world: Index) -> None:
    embedder, every = WordEmbedder(), Search(6, 2.0)
    true = {hit.name: hit.distance for hit in world.search(embedder.query("rope"), 6)}
    assert world.distances(embedder.query("rope"), list(true)) == pytest.approx(true, abs=1e-5)
    assert world.distances(embedder.query("rope"), []) == {}
    assert {hit.name: hit.distance for hit in retrieve(world, embedder, "rope", every).hits} == pytest.approx(true)


@pytest.mark.req("F7")
def test_one_source_does_not_take_every_place(world: Index) -> None:
    found = retrieve(world, WordEmbedder(), "ada honey", Search(4, 2.0, per_source=2))
    assert [hit.passage.source for hit in found.hits].count("people/ada.md") == 2
    assert len(found.hits) == 4
    assert "already 2 from people/ada.md" in {one.reason for one in found.dropped}


@pytest.mark.req("F7")
def test_filters_bound_both_ways_of_searching(world: Index) -> None:
    def sources(**only: tuple[str, ...]) -> set[str]:
        return {hit.passage.source for hit in retrieve(world, WordEmbedder(), "ada honey rope", Search(9, 2.0, **only)).hits}  # type: ignore[arg-type]

    assert sources() == {"people/ada.md", "places/quay.md", "notes/tax.md"}
    assert sources(categories=("places", "notes")) == {"places/quay.md", "notes/tax.md"}
    assert sources(sources=("people/", "notes/tax.md")) == {"people/ada.md", "notes/tax.md"}
    assert sources(tags=("keeper", "fisher")) == {"people/ada.md"}
    assert sources(tags=("bees",), categories=("notes",)) == sources(sources=("none.md",)) == set()


@pytest.mark.req("F7")
def test_neighbours_come_last_and_stay_within_the_section(world: Index) -> None:
    found = retrieve(world, WordEmbedder(), "honey of heather, honey of lime", Search(1, 2.0, neighbours=1))
    assert texts(found) == ["Honey", "The", "Smoke"]
    assert [hit.found_by for hit in found.hits] == ["both", "neighbour", "neighbour"]
    assert {hit.distance for hit in found.hits} == {found.hits[0].distance}
    several = retrieve(world, WordEmbedder(), "ada bees", Search(9, 2.0, neighbours=5))
    assert len({hit.name for hit in several.hits}) == len(several.hits) == 6, "each once"


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
