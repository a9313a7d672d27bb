"""Cutting beside cleaning: helper processes give what one process gives, and end with it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from lorewright.data import cutting as door
from lorewright.data.cutting import Cuts, Cutting
from lorewright.recipe import Chunk

STORY = [f"Bell {number} rang over the yard and was not heard, and so it rang again." for number in range(40)]
CUTS = Cuts(Chunk("words", 20, 60, 10), "", headings=False)


def cut(folder: Path, size: int, documents: int = 5) -> list[tuple[str, int, str, str]]:
    with Cutting(CUTS, folder, size, documents) as cutting:
        for document in range(documents):
            cutting.begin(f"{document}.txt")
            cutting.feed("\n\n".join(["CHAPTER I", *STORY[: 8 * document]]))
            cutting.feed("\n\n".join([STORY[0], "* * *", *STORY[8 * document :]]))
            cutting.feed(None)
        cutting.finish()
        return [(place.document, place.number, chapter, text) for place, chapter, text in cutting.read()]


def test_helpers_give_what_one_process_gives(tmp_path: Path) -> None:
    alone = cut(tmp_path, size=1)
    assert len(alone) > 40
    assert [document for document, *_ in alone] == sorted(document for document, *_ in alone)
    assert all(chapter == "CHAPTER I" for _, _, chapter, _ in alone)
    assert cut(tmp_path, size=door.MUCH) == alone
    assert not list(tmp_path.iterdir()), "what was kept meanwhile is gone"
    assert not multiprocessing.active_children()


def test_what_goes_wrong_in_a_helper_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(TypeError),
        Cutting(CUTS, tmp_path, door.MUCH, 2) as cutting,
    ):
        cutting.begin("a")
        cutting.feed(b"no text")  # type: ignore[arg-type]
        cutting.finish()
    assert not multiprocessing.active_children()


def test_a_helper_that_dies_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="has died"), Cutting(CUTS, tmp_path, door.MUCH, 2) as cutting:
        cutting.begin("a")
        for helper in multiprocessing.active_children():
            helper.kill()
            helper.join()
        cutting.feed("\n\n".join(STORY))
        cutting.finish()
