from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lorewright.errors import LorewrightError
from lorewright.rag.catalogue import Filter
from lorewright.rag.chunk import CHUNKER_VERSION, Passage
from lorewright.rag.store import open_index, write_index

from .fakes import LORE, WordEmbedder, lore_passages, write_lore

SEARCH = """
import sys; from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fakes import WordEmbedder
from lorewright.rag.store import open_index
index = open_index(Path(sys.argv[1]))
print(index.search(WordEmbedder().query("cybernetic arm"), 1)[0].passage.heading)
"""


def open_files_below(folder: Path) -> list[str]:
    """Of this process. A descriptor may be closed while we look."""
    links = [file.readlink() for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    return [str(link) for link in links if link.is_relative_to(folder)]


@pytest.mark.req("F7")
def test_an_index_may_be_renamed_and_opened_by_another_process(tmp_path: Path) -> None:
    write_lore(tmp_path / "index.partial")
    assert open_files_below(tmp_path) == []
    (tmp_path / "index.partial").rename(tmp_path / "index")
    command = [sys.executable, "-c", SEARCH, str(tmp_path / "index"), str(Path(__file__).parent)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "Augmentations"
    index = open_index(tmp_path / "index")
    hits = index.search(WordEmbedder().query("cybernetic arm"), 10)
    index.close()
    assert len(hits) == len(LORE)
    assert hits[0].passage == lore_passages()[0]
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    assert 0 <= hits[0].distance < hits[-1].distance <= 2
    assert index.stamp == {"embedding_model": "words", "dimension": 64, "chunks": 3, "vectors": 3, "chunker": CHUNKER_VERSION, "removed": 0}


def test_distance_is_cosine(tmp_path: Path) -> None:
    passage = Passage("t", "s", "c", "t", "h", ("a", "b"))
    vectors = np.eye(3, 4, dtype=np.float32) * np.float32([[1], [2], [3]])
    write_index(tmp_path, [passage] * 3, vectors, {"embedding_model": "m"})
    index = open_index(tmp_path)
    hits = index.search(np.float32([-1, 0, 0, 0]), 3)
    index.close()
    assert [round(hit.distance, 5) for hit in hits] == [1, 1, 2]
    assert hits[0].passage == passage


def test_writing_again_replaces_what_an_interrupted_run_left(tmp_path: Path) -> None:
    write_lore(tmp_path)
    (tmp_path / "stamp.json").unlink()
    write_lore(tmp_path)
    index = open_index(tmp_path)
    index.close()
    assert index.count == len(LORE)


def test_a_passage_is_as_near_as_its_nearest_part(tmp_path: Path) -> None:
    passages = [Passage(f"text {number}", "s", "c", "t", "h") for number in range(3)]
    near, far = np.float32([1, 0, 0]), np.float32([0, 1, 0])
    vectors = np.stack([far, far, far, near, *[0.9 * near + 0.1 * far] * 30])
    owners = [0, 1, 2, 2, *[1] * 30]
    write_index(tmp_path, passages, vectors, {"embedding_model": "m"}, owners)
    index = open_index(tmp_path)
    hits = index.search(near, 3)
    index.close()
    assert [hit.passage.text for hit in hits] == ["text 2", "text 1", "text 0"], "found behind thirty parts of another passage"
    assert [round(hit.distance, 2) for hit in hits] == [0, 0.01, 1]
    assert index.count == 3
    with pytest.raises(ValueError, match="3 passages, 34 vectors"):
        write_index(tmp_path / "wrong", passages, vectors, {"embedding_model": "m"})


def test_more_passages_than_one_batch(tmp_path: Path) -> None:
    passages = [Passage(f"text {number}", "s", "c", "t", "h") for number in range(1001)]
    vectors = np.random.default_rng(0).normal(size=(1001, 8)).astype(np.float32)
    write_index(tmp_path, passages, vectors, {"embedding_model": "m"})
    index = open_index(tmp_path)
    found = index.search(vectors[1000], 1)[0].passage.text
    index.close()
    assert (index.count, found) == (1001, "text 1000")


def test_nothing_to_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="no passages to index"):
        write_index(tmp_path / "new", [], np.empty((0, 4), np.float32), {"embedding_model": "m"})


def test_what_is_no_index_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="no lore index there; ingest the lore first"):
        open_index(tmp_path)
    stamp = tmp_path / "stamp.json"
    stamp.write_text("{}")
    with pytest.raises(LorewrightError, match="not the stamp of a lore index"):
        open_index(tmp_path)
    facts = {"embedding_model": "m", "dimension": 1, "chunks": 1, "vectors": 1}
    stamp.write_text(json.dumps(facts))
    with pytest.raises(LorewrightError, match=r"made by another version of lorewright; ingest the lore again"):
        open_index(tmp_path)
    stamp.write_text(json.dumps(facts | {"chunker": CHUNKER_VERSION}))
    with pytest.raises(LorewrightError, match="lost its database"):
        open_index(tmp_path)
    (tmp_path / "chroma.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(LorewrightError, match=r"cannot be opened.*ingest the lore again"):
        open_index(tmp_path)


def test_an_index_that_lost_passages_is_refused(tmp_path: Path) -> None:
    write_lore(tmp_path)
    stamp = json.loads((tmp_path / "stamp.json").read_text())
    (tmp_path / "stamp.json").write_text(json.dumps(stamp | {"vectors": 4}))
    with pytest.raises(LorewrightError, match="holds 3 vectors, its stamp says 4"):
        open_index(tmp_path)


def test_filtered_search_is_exact_whoever_filters(tmp_path: Path) -> None:
    passages = [
        Passage(f"text {n}", f"s{n % 50}", "rare" if n % 50 == 7 else f"c{n % 2}", "t", "h", ("odd",) * (n % 2)) for n in range(400)
    ]
    passages.sort(key=lambda passage: passage.source)
    vectors = np.random.default_rng(3).normal(size=(400, 8)).astype(np.float32)
    write_index(tmp_path, passages, vectors, {"embedding_model": "m"})
    index = open_index(tmp_path)
    question = np.random.default_rng(4).normal(size=8).astype(np.float32)
    near = vectors @ question / np.linalg.norm(vectors, axis=1)
    for only in (Filter(("c1",)), Filter(("rare",)), Filter(tags=("odd",)), Filter(("c1", "rare"), ("s7", "s9"), ("odd",))):
        wanted = [number for number in np.argsort(-near) if _fits(passages[number], only)][:5]
        assert [hit.passage.text for hit in index.search(question, 5, only)] == [passages[number].text for number in wanted]
    index.close()


def _fits(passage: Passage, only: Filter) -> bool:
    return all((
        not only.categories or passage.category in only.categories, not only.sources or passage.source in only.sources,
        not only.tags or bool(set(only.tags) & set(passage.tags)),
    ))  # fmt: skip


def test_an_index_without_its_passages_is_refused(tmp_path: Path) -> None:
    write_lore(tmp_path)
    (tmp_path / "passages.sqlite").unlink()
    with pytest.raises(LorewrightError, match=r"passages of the lore index cannot be read.*ingest the lore again"):
        open_index(tmp_path)
    assert not (tmp_path / "passages.sqlite").exists()
