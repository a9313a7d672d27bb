from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from lorewright.rag.embed import EVERYDAY, Embedder, Vectors, load_embedder
from lorewright.rag.ground import USUAL, allowance
from lorewright.rag.retrieve import Search, retrieve
from lorewright.rag.store import Index, open_index, write_index

from .fakes import WordEmbedder, lore_passages

SUITES = Path(__file__).parents[2] / "benchmarks" / "suites"


def unit(*numbers: float) -> Vectors:
    vector = np.asarray(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def test_like_the_lore_may_be_farther_and_like_the_everyday_must_be_nearer() -> None:
    centre, everyday = unit(1, 0, 0) * 0.4, np.stack([unit(0, 1, 0)] * 3)
    assert allowance(unit(0, 0, 1), centre, everyday) == pytest.approx(USUAL)
    assert allowance(unit(1, 0, 0), centre, everyday) == pytest.approx(USUAL + 0.4)
    assert allowance(unit(0, 1, 0), centre, everyday) == pytest.approx(USUAL - 0.5)
    assert allowance(unit(1, 0, 0), centre, everyday[:0]) == 0, "without everyday questions nothing is known"


EVERYDAY_QUESTION = "how do harbour pilots vote in winter"


class Worldly(WordEmbedder):
    """Knows one everyday question."""

    everyday = WordEmbedder().passages([EVERYDAY_QUESTION])


@pytest.mark.req("F7")
def test_an_everyday_question_finds_no_lore_where_another_does(index: Index) -> None:
    nearest = retrieve(index, WordEmbedder(), EVERYDAY_QUESTION, Search(1, 2.0, lexical=False)).hits[0].distance
    search = Search(3, nearest + 0.01, lexical=False)
    assert retrieve(index, WordEmbedder(), EVERYDAY_QUESTION, search).hits
    assert not retrieve(index, Worldly(), EVERYDAY_QUESTION, search).hits
    assert retrieve(index, Worldly(), "the harbour of meridian freezes", search).hits


def test_the_centre_is_the_mean_of_the_passages(tmp_path: Path, index: Index) -> None:
    vectors = WordEmbedder().passages([passage.text for passage in lore_passages()])
    assert index.centre == pytest.approx(vectors.mean(axis=0), abs=1e-6)
    many = [passage for passage in lore_passages() for _ in range(1000)]
    write_index(tmp_path / "index", many, np.repeat(vectors, 1000, axis=0), {"embedding_model": "words"})
    opened = open_index(tmp_path / "index")
    assert 1000 <= len(opened.catalogue.some(1000)) <= 2000
    assert opened.centre == pytest.approx(vectors.mean(axis=0), abs=0.05)
    opened.close()


def test_no_everyday_question_is_one_that_counts() -> None:
    everyday = EVERYDAY.read_text(encoding="utf-8").splitlines()
    suites = [yaml.safe_load((SUITES / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("retrieval", "retrieval_tuning")]
    assert len(everyday) == len(set(everyday)) > 50
    assert not set(everyday) & {question for suite in suites for question in suite["unmatched"]}


def test_a_model_that_it_is_not_tuned_for_has_none() -> None:
    assert Embedder("other", 8, "", None).everyday.shape == (0, 8)


@pytest.mark.real
@pytest.mark.filterwarnings("default")
def test_the_packaged_model_knows_them() -> None:
    embedder = load_embedder("all-MiniLM-L6-v2")
    assert embedder.everyday.shape == (len(EVERYDAY.read_text(encoding="utf-8").splitlines()), 384)
    assert embedder.everyday is embedder.everyday, "made once"
