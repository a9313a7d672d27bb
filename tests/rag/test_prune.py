"""What of a collection goes after an ingest, and what stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lorewright.locks import hold_folder
from lorewright.manifest import RECORD, write_json
from lorewright.plan import Paths
from lorewright.rag.prune import OWNER, prune


class Collection:
    """Folders that stand for indexes, each made a second after the one before."""

    def __init__(self, root: Path) -> None:
        self.paths, self.folder, self.made = Paths(root, "mine"), root / "collections" / "world", 0
        self.paths.home.mkdir(parents=True)

    def index(self, name: str) -> Path:
        folder = self.folder / name
        (folder / "index").mkdir(parents=True)
        write_json(folder / RECORD, {})
        self.made += 1
        os.utime(folder / RECORD, (self.made, self.made))
        return folder

    def partial(self, name: str, recipe: str = "") -> None:
        (self.folder / f"{name}.partial" / "index").mkdir(parents=True)
        if recipe:
            write_json(self.folder / f"{name}.partial" / OWNER, {"recipe": recipe})

    def left(self) -> list[str]:
        prune(self.paths, self.folder)
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path / "runs")


@pytest.mark.req("F7")
def test_the_newest_two_stay_and_the_others_go(collection: Collection) -> None:
    for name in ("a", "b", "c.replaced-20260101-000000", "d", "e"):
        collection.index(name)
    (collection.folder / "f.removed").mkdir()  # a prune was ended
    (collection.folder / "lock").touch()
    assert collection.left() == ["d", "e", "lock"]


@pytest.mark.req("F7")
def test_what_a_recipe_means_stays(collection: Collection, tmp_path: Path) -> None:
    folders = [collection.index(name) for name in "abcde"]
    for recipe, folder in (("mine", folders[4]), ("other", folders[1])):
        link = tmp_path / "runs" / recipe / "latest" / "ingest"
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(folder, link.parent))
    assert collection.left() == ["b", "d", "e"]


@pytest.mark.req("F7")
def test_what_is_open_stays_until_it_is_closed(collection: Collection) -> None:
    folders = [collection.index(name) for name in "abcd"]
    handles = [hold_folder(folders[1] / "index") for _ in range(2)]
    assert collection.left() == ["b", "c", "d"]
    os.close(handles[0])
    assert collection.left() == ["b", "c", "d"]
    os.close(handles[1])
    assert collection.left() == ["c", "d"]


def test_what_cannot_be_removed_stops_nothing(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        collection.index(name)

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "not yours")

    monkeypatch.setattr(Path, "rename", refuse)
    assert collection.left() == ["a", "b", "c"]


@pytest.mark.req("F7")
def test_of_interrupted_ingests_those_stay_that_can_go_on(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "runs" / "other").mkdir()
    collection.index("a")
    for name, recipe in (("b", "mine"), ("c", "other"), ("d", "gone"), ("e", "")):
        collection.partial(name, recipe)
    for journal in ("mine.0a.vectors", "other.0a.vectors", "gone.0a.vectors", "0123456789abcdef.vectors"):
        (collection.folder / journal).touch()
    assert collection.left() == ["a", "c.partial", "mine.0a.vectors", "other.0a.vectors"]
