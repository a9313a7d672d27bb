"""The committed tables are what their scripts make, the page shows what the command prints, and a miss is marked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import forecast_table, quoted_times
from lorewright.cli import main
from lorewright.manifest import latest_manifest
from lorewright.runner import Choice, execute
from lorewright.serving.gpu import Card
from lorewright.stages import Run, foretold
from tests.weights import LLAMA

Call = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, str]:
        return forecast_table.main(words), capsys.readouterr().out

    return call


def test_the_committed_tables_are_current(called: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = called("--check", "--output", str(tmp_path / "table.md"))
    assert code == 0, out
    assert (tmp_path / "table.md").read_text() == (repo / "benchmarks/results/forecast.md").read_text()
    monkeypatch.setattr(quoted_times, "RESULT", tmp_path / "quoted.md")
    assert quoted_times.main() == 0
    assert (tmp_path / "quoted.md").read_text() == (repo / "benchmarks/results/quoted_times.md").read_text()


@pytest.mark.req("F1", "F2", "P6", "S3")
def test_quoted_memory_is_met_on_the_quoted_card() -> None:
    """What others fit on their cards, ours fit too; the time is of the same order."""
    for quote in quoted_times.QUOTES:
        found = quoted_times.foretold(quote)
        assert found.verdict != "does not fit", quote
        if quote.row == "P6" and quote.kind == "time":
            assert found.time.steps == 321 and 23 / 2 < found.seconds / 60 < 23 * 2


def measured(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(forecast_table.MEASURED.read_text())
    given["configurations"] = [given["configurations"][0] | changes]
    return given


@pytest.mark.parametrize(("changes", "missed"), [
    ({}, False), ({"peak_bytes": 18e9}, True), ({"tokens_per_second": 12000}, True), ({"tokens_per_second": 9300}, False),
    ({"peak_bytes": None, "tokens_per_second": None}, False), ({"length": 1024}, True), ({"devices": 2, "tokens_per_second": 17200}, False),
])  # fmt: skip
def test_a_miss_is_marked(called: Call, tmp_path: Path, changes: dict[str, Any], missed: bool) -> None:
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(measured(**changes)))
    code, out = called(str(file), "--check")
    assert (code, "**missed**" in out) == (int(missed), missed), out


def test_a_miss_with_a_note_is_shown_and_passes(called: Call, tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(measured(tokens_per_second=12000, note="beside others")))
    code, out = called(str(file), "--check")
    assert code == 0 and "**missed** beside others" in out and "time within 15% for 0 of 1" in out


def test_the_constants_can_be_set_from_what_is_not_held_out(called: Call, tmp_path: Path) -> None:
    code, out = called("--fit")
    assert code == 0 and "13 rows not held out: REACHED 0.80, MOST 2.05 TB/s, START 3.7e-05 s" in out
    (tmp_path / "m.json").write_text(json.dumps(measured(held_out=True)))
    assert "no row to set a constant from" in called(str(tmp_path / "m.json"), "--fit")[1]


def test_the_page_shows_what_the_command_prints(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(repo / "configs/qlora_style_transfer.yaml"), "--runs", str(tmp_path), "--gpu", "RTX 3070"]) == 0
    assert capsys.readouterr().out in (repo / "docs/gpu-setup.md").read_text()


@pytest.mark.parametrize(("name", "known"), [("NVIDIA GeForce RTX 4090", True), ("Mystery 9", False)])
def test_a_run_keeps_what_was_foretold(
    make_recipe: Any, run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], name: str, known: bool,
) -> None:  # fmt: skip
    run = run_of(make_recipe(axolotl={"adapter": "lora", "lora_r": 8, "bf16": True, "micro_batch_size": 1, "num_epochs": 1}))
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100, "intermediate_size": 96}
    (tmp_path / "base" / "config.json").write_text(json.dumps(LLAMA | shape))
    monkeypatch.setattr(foretold, "cards_for_training", lambda accelerator, devices: [Card("0", "GPU-1", name, 24564, 24000)])
    execute(run, Choice(only=("prepare", "train")))
    kept = (latest_manifest(run.paths.manifests) or {})["forecast"]
    assert bool(kept) == known and ("GiB of 24.0 are foretold: fits" in capfd.readouterr().err) == known
    if known:
        assert kept["gpu"] == "RTX 4090" and 0 < kept["peak_vram_bytes"] < kept["needed_vram_bytes"] < 2**30
