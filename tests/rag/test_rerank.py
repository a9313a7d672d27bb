from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from lorewright.errors import LorewrightError
from lorewright.rag import app
from lorewright.rag import retrieve as retrieving
from lorewright.rag.rerank import Reranker, load_reranker
from lorewright.rag.retrieve import Search, retrieve
from lorewright.rag.store import Index
from lorewright.recipe import Rerank

from .fakes import WordEmbedder, running_proxy
from .test_upstream import CHAT, REQUEST
from .upstream_server import UpstreamServer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "her", "arm", "steel", "the", "harbour", "freezes", "elara", "voss"]


class Longest:
    """Stands for a model that likes long texts. gate: waited for before each answer. answers: how many it gave."""

    def __init__(self) -> None:
        self.gate, self.answers = threading.Event(), 0
        self.gate.set()

    def predict(self, pairs: Sequence[tuple[str, str]], **more: object) -> list[float]:
        self.gate.wait(20)
        self.answers += 1
        return [float(len(text)) for _, text in pairs]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Longest]:
    longest = Longest()
    reranker = Reranker(longest)
    for part in (retrieving, app):
        monkeypatch.setattr(part, "load_reranker", lambda name: reranker)
    yield longest
    longest.gate.set()


@pytest.mark.req("F7")
def test_the_first_candidates_are_ordered_again(index: Index, model: Longest) -> None:
    search = Search(3, 2.0, rerank=Rerank("m", 1000, 2))
    plain = retrieve(index, WordEmbedder(), "harbour freezes in winter", Search(3, 2.0))
    found = retrieve(index, WordEmbedder(), "harbour freezes in winter", search)
    lengths = [len(hit.passage.text) for hit in found.hits]
    assert lengths[0] > lengths[1]
    assert {hit.name for hit in found.hits[:2]} == {hit.name for hit in plain.hits[:2]}, "those behind stay behind"
    assert found.hits[2] == plain.hits[2]
    assert found.hits[0].score == lengths[0]
    assert found.notes == ()


@pytest.mark.req("F7")
def test_too_slow_a_model_changes_nothing_and_holds_up_nobody(index: Index, model: Longest) -> None:
    plain = retrieve(index, WordEmbedder(), "harbour", Search(3, 2.0))
    search = Search(3, 2.0, rerank=Rerank("m", 30, 20))
    model.gate.clear()
    late = retrieve(index, WordEmbedder(), "harbour", search)
    assert late.hits == plain.hits
    assert late.notes == ("not reranked: it takes longer than 30 ms",)
    busy = retrieve(index, WordEmbedder(), "harbour", Search(3, 2.0, rerank=Rerank("m", 60_000, 20)))
    assert busy.hits == plain.hits
    assert model.answers == 0, "a model that is still busy is not waited for"


def test_that_it_was_not_reranked_is_told(upstream: UpstreamServer, index: Index, model: Longest) -> None:
    model.gate.clear()
    retrieval = {"rerank": {"model": "m", "deadline_ms": 30, "candidates": 20}}
    with running_proxy(upstream.address, index, retrieval=retrieval) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        proxy.post(CHAT, json=REQUEST)
        said = ["not reranked: it takes longer than 30 ms"]
        assert proxy.get("/v1/lore/last").json()["notes"] == said
        assert proxy.get("/stats").json()["recent_queries"][0]["notes"] == said
        model.gate.set()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder of one layer with random weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross-encoder")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1,
        max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.mark.real
@pytest.mark.req("F7")
@pytest.mark.filterwarnings("default")
def test_a_real_cross_encoder_orders(tiny: Path, index: Index) -> None:
    reranker = load_reranker(str(tiny))
    scores = reranker.scores("her arm", ["the harbour freezes", "her arm of steel"], 30)
    assert scores and scores[0] != scores[1]
    found = retrieve(index, WordEmbedder(), "her arm", Search(3, 2.0, rerank=Rerank(str(tiny), 30_000, 20)))
    wanted = reranker.scores("her arm", [hit.passage.text for hit in found.hits], 30)
    assert wanted == pytest.approx(sorted(wanted, reverse=True), abs=1e-4)
    assert [hit.score for hit in found.hits] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.real
@pytest.mark.filterwarnings("default")
def test_what_is_no_cross_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="no such reranking model folder"):
        load_reranker("/no/such")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LorewrightError, match="cannot load the reranking model"):
        load_reranker(str(tmp_path))
