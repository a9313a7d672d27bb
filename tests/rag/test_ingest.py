from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from lorewright.data.extract import Work
from lorewright.errors import LorewrightError
from lorewright.rag import ingest as ingesting
from lorewright.rag.chunk import Cut
from lorewright.rag.ingest import Made, Order, earlier_index, make_index
from lorewright.rag.lore_files import READING, lore_files
from lorewright.rag.store import Index, open_index

from .fakes import WordEmbedder
from .test_journal import Counting

KIND = {"embedding_model": "words", "chunk_words": 50}


def content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class World:
    """A lore that changes, and the indexes that follow each other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lore, self.made = folder, folder / "lore", 0
        self.embedder: WordEmbedder = Counting()
        self.previous: Path | None = None
        for name, text in (
            ("people/anna.md", "# Anna\n\nAnna keeps many black bees. Her hives stand by the sea."),
            ("people/bo.md", "# Bo\n\nBo mends nets all day."),
        ):
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.lore / name).parent.mkdir(parents=True, exist_ok=True)
        (self.lore / name).write_text(text)

    def order(self) -> Order:
        files, _ = lore_files([str(self.lore)], content)
        work = Work(self.folder / "work", READING, self.folder / "log")
        return Order(files, Cut(50), KIND, lambda: self.embedder, self.folder / "journal", work)  # type: ignore[arg-type, return-value]

    def ingest(self) -> Made:
        self.made += 1
        target = self.folder / f"index{self.made}"
        made = make_index(target, self.order(), self.previous, lambda done, total, note: None)
        self.previous = target
        (self.folder / "journal").unlink(missing_ok=True)
        return made

    def opened(self) -> Index:
        assert self.previous
        return open_index(self.previous)

    def nearest(self, question: str) -> str:
        index = self.opened()
        found = index.search(WordEmbedder().query(question), 1)[0].passage.text
        index.close()
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def told(made: Made) -> tuple[int, int, int, int]:
    return made.kept, made.new, made.gone, made.embedded


@pytest.mark.req("F7")
def test_only_what_changed_is_embedded_and_what_is_gone_is_not_found(world: World) -> None:
    assert told(world.ingest()) == (0, 2, 0, 4)
    assert told(world.ingest()) == (2, 0, 0, 0)
    world.write("people/bo.md", "# Bo\n\nBo carves spoons all day.")
    world.write("places/quay.md", "# Quay\n\nThe quay is of black stone.")
    first = world.previous
    assert told(world.ingest()) == (1, 2, 1, 2)
    assert world.nearest("Bo mends nets") == "Bo\n\nBo carves spoons all day."
    (world.lore / "people/anna.md").unlink()
    made = world.ingest()
    assert (told(made), made.categories, made.chunks) == ((2, 0, 1, 0), ["people", "places"], 2)
    index = world.opened()
    assert index.catalogue.ranked(["hives"], 5, _all()) == []
    assert index.catalogue.ranked(["spoons"], 5, _all()) != []
    assert "Anna" not in world_texts(index)
    index.close()
    assert first
    old = open_index(first)
    assert "Bo mends nets all day." in world_texts(old), "the one before is as it was"
    old.close()


def _all():  # type: ignore[no-untyped-def]
    from lorewright.rag.catalogue import Filter

    return Filter()


def world_texts(index: Index) -> str:
    return " ".join(hit.passage.text for hit in index.search(WordEmbedder().query("x"), 99))


def test_an_index_of_many_deletions_is_made_anew_from_its_vectors(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "FEW", 0)
    world.ingest()
    for number in range(8):
        world.write("people/bo.md", f"# Bo\n\nBo has {number} spoons. He has sold {number} nets.")
        made = world.ingest()
        assert made.embedded == 3, "never more than the changed file"
    index = world.opened()
    assert index.stamp["removed"] < 3 * 6, "at some time the marks of what was deleted were left behind"
    assert index.count == 2
    assert world.nearest("Anna keeps bees hives sea").startswith("Anna")
    index.close()


@pytest.mark.req("F7")
def test_an_ingest_that_was_ended_goes_on_with_what_it_had_embedded(world: World) -> None:
    for number in range(400):
        world.write(f"days/{number}.md", f"On day {number} it rained on the nets.")
    world.embedder = Counting(300)
    with pytest.raises(KeyboardInterrupt):
        make_index(world.folder / "partial", world.order(), None, lambda done, total, note: None)
    world.embedder = Counting()
    made = world.ingest()
    assert (made.new, made.embedded) == (402, 404 - 256)


def test_an_index_of_another_kind_is_not_gone_on_from(world: World, tmp_path: Path) -> None:
    assert earlier_index([tmp_path / "none"], KIND) == (None, "")
    world.ingest()
    assert world.previous
    assert earlier_index([tmp_path / "none", world.previous], KIND) == (world.previous, "")
    assert earlier_index([world.previous], KIND | {"embedding_model": "other"}) == (None, "embedding_model was words, is other")
    (world.previous / "passages.sqlite").write_bytes(b"x" * 100)
    assert "cannot be read" in earlier_index([world.previous], KIND)[1]


def test_problems_of_unchanged_files_are_told_again(world: World) -> None:
    world.write("people/odd.md", "---\ntitle: [\n---\nStill used for this.")
    world.write("people/empty.md", " ")
    for _ in range(2):
        problems = {file.name: problem for file, problem in world.ingest().problems}
        assert problems.keys() == {"odd.md", "empty.md"}
        assert "not valid YAML" in problems["odd.md"]


def test_a_lore_without_text_is_refused_with_the_reasons(tmp_path: Path) -> None:
    world = World(tmp_path)
    for file in world.lore.rglob("*.md"):
        file.write_text(" ")
    with pytest.raises(LorewrightError, match="no lore could be read") as caught:
        world.ingest()
    assert [line.rpartition("/")[2] for line in caught.value.tail] == ["anna.md: holds no text", "bo.md: holds no text"]


def test_the_same_file_in_two_sources_is_one(world: World) -> None:
    order = world.order()
    twice, _ = lore_files([str(world.lore), str(world.lore / "people/anna.md")], content)
    assert [lore.key for lore in twice] == [lore.key for lore in order.files]
    moved = world.folder / "other" / "lore"
    moved.parent.mkdir()
    world.lore.rename(moved)
    again, _ = lore_files([str(moved)], content)
    assert [lore.key for lore in again] == [lore.key for lore in order.files], "a moved tree is the same tree"
    assert replace(order, files=again).files != order.files


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")

    def refuse(file: Path) -> str:
        raise PermissionError(13, "Permission denied", str(file))

    files, problems = lore_files([str(tmp_path)], refuse)
    assert (files, problems) == ([], [(tmp_path / "a.md", "Permission denied")])
