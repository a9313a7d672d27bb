from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lorewright.errors import LorewrightError
from lorewright.rag import app, embed
from lorewright.rag.embed import load_embedder, precision_here, query_prefix

from .fakes import WordEmbedder, settings, write_lore


@pytest.mark.real
@pytest.mark.req("F7")
@pytest.mark.filterwarnings("default")
def test_the_packaged_model_finds_what_is_meant(capfd: pytest.CaptureFixture[str]) -> None:
    embedder = load_embedder("all-MiniLM-L6-v2")
    seen: list[tuple[int, int]] = []
    texts = ["Her left arm is a steel prosthesis.", "The harbour freezes in winter.", *["filler"] * 98]
    vectors = embedder.passages(texts, lambda done, total: seen.append((done, total)))
    assert (vectors.shape, vectors.dtype) == ((100, 384), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert seen == [(64, 100), (100, 100)]
    assert int(np.argmax(vectors @ embedder.query("Which of her limbs is artificial?"))) == 0
    assert capfd.readouterr() == ("", "")  # no bars in a service's log

    with ThreadPoolExecutor(3) as threads:  # raises what a thread raised
        assert len(list(threads.map(lambda number: embedder.query("long " * 20 * number), range(20)))) == 20


@pytest.mark.real
@pytest.mark.req("F7")
@pytest.mark.filterwarnings("default")
def test_bfloat16_gives_nearly_the_same() -> None:
    plain, fast = load_embedder("all-MiniLM-L6-v2"), load_embedder("all-MiniLM-L6-v2", "bfloat16")
    texts = ["Her left arm is a steel prosthesis.", "The harbour freezes in winter. " * 9]
    one, other = plain.passages(texts), fast.passages(texts)
    assert other.dtype == np.float32
    assert not np.array_equal(one, other)
    assert np.all((one * other).sum(axis=1) > 0.999)
    assert np.allclose(np.linalg.norm(other, axis=1), 1, atol=1e-6)
    assert float(plain.query("the arm") @ fast.query("the arm")) > 0.999


@pytest.mark.req("F7")
def test_auto_is_what_the_processor_is_fast_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = tmp_path / "cpuinfo"
    monkeypatch.setattr(embed, "CPU", cpu)
    assert precision_here("auto") == "float32", "not on Linux"
    cpu.write_text("flags\t\t: fpu avx512_bf16 amx_int8\n")
    assert precision_here("auto") == "float32"
    cpu.write_text("flags\t\t: fpu amx_bf16 amx_int8\n")
    assert (precision_here("auto"), precision_here("float32")) == ("bfloat16", "float32")


@pytest.mark.real
@pytest.mark.filterwarnings("default")
def test_a_folder_that_holds_no_model_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LorewrightError, match=r"cannot load the embedding model.*all-MiniLM-L6-v2"):
        load_embedder(str(tmp_path))


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(LorewrightError, match=r"/no/such: no such embedding model folder; .*all-MiniLM-L6-v2"):
        load_embedder("/no/such")


def test_bge_wants_a_prefix_before_queries() -> None:
    assert query_prefix("BAAI/bge-large-en-v1.5") == "Represent this sentence for searching relevant passages: "
    assert query_prefix("/models/bge-small-en") == query_prefix("BAAI/bge-large-en-v1.5")
    assert query_prefix("BAAI/bge-m3") == query_prefix("all-MiniLM-L6-v2") == ""


@pytest.mark.real
@pytest.mark.filterwarnings("default")
def test_a_question_is_embedded_on_one_thread_and_passages_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: list[int] = []
    try:
        embedder = load_embedder("all-MiniLM-L6-v2")
        forward = embedder.model.forward
        monkeypatch.setattr(
            embedder.model, "forward", lambda *given, **more: seen.append(torch.get_num_threads()) or forward(*given, **more)
        )
        embedder.query("Who keeps the clock?")
        embedder.passages(["The clock is kept by Elena."])
        assert (seen, torch.get_num_threads()) == ([1, 2], 2)
    finally:
        torch.set_num_threads(before)


def test_the_proxy_embeds_in_what_is_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(app, "load_embedder", lambda *given: asked.append(given) or WordEmbedder())
    app.create_app(settings("http://127.0.0.1:1", index=write_lore(tmp_path / "index")))
    assert asked == [("words", "auto")]
