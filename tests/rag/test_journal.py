from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lorewright.rag.embed import Vectors
from lorewright.rag.journal import BLOCK, Journal

from .fakes import WordEmbedder


class Counting(WordEmbedder):
    """Ends after `limit` texts, as a kill does between two blocks."""

    def __init__(self, limit: int = 10**9) -> None:
        super().__init__()
        self.asked, self.limit = 0, limit

    def passages(self, texts: object) -> Vectors:
        rows = list(texts)  # type: ignore[call-overload]
        if self.asked + len(rows) > self.limit:
            raise KeyboardInterrupt
        self.asked += len(rows)
        return super().passages(rows)


def words(count: int) -> list[str]:
    return [f"sentence {number}" for number in range(count)]


@pytest.mark.req("F7")
def test_what_was_embedded_before_an_end_is_not_embedded_again(tmp_path: Path) -> None:
    file, texts = tmp_path / "a.vectors", words(3 * BLOCK)
    first = Counting(2 * BLOCK)
    with pytest.raises(KeyboardInterrupt), closing(Journal(file, first)) as journal:
        journal.vectors(texts, lambda more: None)
    with open(file, "ab") as cut:
        cut.write(b"half a record")
    second = Counting()
    told: list[int] = []
    with closing(Journal(file, second)) as journal:
        vectors = journal.vectors([*texts, texts[0]], told.append)
    assert (second.asked, journal.embedded) == (BLOCK, BLOCK)
    assert np.allclose(vectors, WordEmbedder().passages([*texts, texts[0]]))
    assert sum(told) == 3 * BLOCK + 1
    with closing(Journal(file, Counting(0))) as journal:
        assert np.allclose(journal.vectors(texts, told.append), vectors[:-1]), "and the record that was cut off did no harm"


def test_a_text_that_stands_twice_is_embedded_once(tmp_path: Path) -> None:
    embedder = Counting()
    with closing(Journal(tmp_path / "a", embedder)) as journal:
        vectors = journal.vectors(["one", "two", "one"], lambda more: None)
    assert embedder.asked == 2
    assert np.array_equal(vectors[0], vectors[2])
