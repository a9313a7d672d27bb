"""What a training that begins is foretold: an estimate, which never ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lorewright.stages.train  # noqa: F401  stages are loaded when they are first used: not while the cards are others
from lorewright.cli import main
from lorewright.runner import Choice, execute
from lorewright.serving.gpu import Card
from lorewright.stages import Run
from lorewright.stages.foretold import foretold
from lorewright.training.forecast.asked import of_recipe
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.learn import _ledger_of

RunOf = Callable[..., Run]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards of different kinds, no calibration, no hub."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    here = [Card("0", "GPU-0", "NVIDIA GeForce RTX 3060", 12000, 11000), Card("1", "GPU-1", "NVIDIA H200", 140000, 139000)]
    monkeypatch.setattr("lorewright.serving.gpu.cards", lambda: here)


def on_cards(run: Run) -> Run:
    run.accelerator = "cuda"
    return run


def test_a_training_is_foretold_for_the_cards_it_takes(repo: Path, run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = foretold(on_cards(run_of(repo / "configs/qlora_style_transfer.yaml")))
    assert (found["gpu"], found["devices"], found["verdict"]) == ("H200", 1, "fits")


def test_the_peak_is_counted_from_the_loaded_model_on(repo: Path, run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rows of 64 tokens the fullest moment is that of loading, of which Axolotl counts nothing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    short = ("axolotl.sequence_len=64", "data.chunk.max=40", "data.chunk.min=20", "data.chunk.overlap=0", "axolotl.micro_batch_size=1")
    run = run_of(repo / "configs/qlora_style_transfer.yaml", *short, "axolotl.embeddings_skip_upcast=false", "axolotl.eval_batch_size=1")
    found = foretold(on_cards(run))
    now = of_recipe(run.recipe, run.paths, find_gpu("H200")).now
    assert now.peak.phase == "loading"
    assert found["peak_vram_bytes"] == round(max(peak.allocated for peak in now.phases[1:])) < now.allocated
    assert found["needed_vram_bytes"] > now.allocated


def test_only_a_plan_asks_the_hub(repo: Path, run_of: RunOf, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that begins waits for nothing."""
    asked: list[str] = []
    monkeypatch.setattr("lorewright.training.forecast.found._from_hub", lambda name, revision: asked.append(name))
    file = repo / "configs/qlora_style_transfer.yaml"
    assert foretold(on_cards(run_of(file, "base_model=org/unknown"))) == {} and asked == []
    assert main(["plan", str(file), "--set", "base_model=org/unknown", "--gpu", "this"]) == 1
    assert asked == ["org/unknown"]


@pytest.mark.parametrize("config", [
    "{half", "[]", json.dumps({"num_attention_heads": 0}), json.dumps({"text_config": 3}), json.dumps({"num_hidden_layers": [1, 2]}),
])  # fmt: skip
def test_a_model_that_nothing_is_known_of_is_trained_all_the_same(
    make_recipe: Any, run_of: RunOf, fake_tools: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(make_recipe())
    (Path(run.recipe.base_model) / "config.json").write_text(config)
    assert foretold(on_cards(run)) == {}


def test_a_fault_of_the_estimate_ends_no_training(
    make_recipe: Any, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("lorewright.stages.foretold._foretold", broken)
    run = run_of(make_recipe())
    execute(run, Choice(only=("prepare", "ledger", "train")))
    assert (run.done["train"] / "adapter").is_dir()


def test_a_trainings_own_ledger_is_found_among_others(make_recipe: Any, run_of: RunOf, fake_tools: Path) -> None:
    first, last = (run_of(make_recipe(), f"data.chunk.max={most}") for most in (80, 40))
    for run in (first, last):
        execute(run, Choice(only=("prepare", "ledger", "train")))
    for run in (first, last):
        assert _ledger_of(run.done["train"]) == json.loads((run.done["ledger"] / "ledger.json").read_text())
    assert _ledger_of(first.done["train"]) != _ledger_of(last.done["train"])
