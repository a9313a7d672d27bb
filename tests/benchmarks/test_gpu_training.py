"""The committed figures of gpu_training.py are what its page shows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def bench(repo: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(repo / "benchmarks"))
    import gpu_training

    yield gpu_training
    for name in ("gpu_training", "training_cases", "training_table"):
        sys.modules.pop(name, None)


def test_the_page_shows_the_written_figures(repo: Path, bench) -> None:  # type: ignore[no-untyped-def]
    results = repo / "benchmarks" / "results"
    kept = json.loads((results / "gpu_training.json").read_text(encoding="utf-8"))
    assert bench.table(kept) in (results / "gpu_training.md").read_text(encoding="utf-8")
    assert "/" not in "".join(str(found["axolotl"].get(key, "")) for found in kept.values() for key in bench.PLACES), (
        "no folders of a machine"
    )


def test_a_variant_has_no_goal_and_a_missed_one_is_marked(bench) -> None:  # type: ignore[no-untyped-def]
    cases = bench.chosen(["qlora"], ["", "lora_r=8 lora_dropout=0"], tiny=False, steps=3)
    assert {name: (case.most_gib, case.steps) for name, case in cases.items()} == {
        "qlora": (10.0, 3),
        "qlora lora_r=8 lora_dropout=0": (None, 3),
    }
    assert cases["qlora lora_r=8 lora_dropout=0"].change == {"lora_r": 8, "lora_dropout": 0}
    found = {
        "case": "qlora", "peak_allocated_gib": 8.0, "peak_reserved_gib": 9.0, "peak_evaluating_gib": 12.0, "peak_card_gib": None, "watts": None,
        "tokens_per_second": 9000.0, "model_tflops": 300.0, "product_tflops": 0, "most_gib": 10.0, "least_rate": 10_000,
    }  # fmt: skip
    assert bench.row(found).count("MISSED") == 2, "an evaluation's memory counts"
    assert bench.row(found | {"peak_evaluating_gib": 9.0, "tokens_per_second": 10_000.0}).count("MISSED") == 0


def test_operations_are_of_what_a_token_is_multiplied_with(bench) -> None:  # type: ignore[no-untyped-def]
    dense, experts = (bench.SHAPES[name] for name in ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B"))
    assert bench.forward_operations(dense, 0) == 2 * (32 * 4096 * (4096 * 2 + 1024 * 2 + 3 * 14336) + 128256 * 4096)
    assert bench.forward_operations(dense, 2048) - bench.forward_operations(dense, 0) == 2 * 32 * 4096 * 2048
    assert bench.forward_operations(experts, 0) == pytest.approx(2 * 3.03e9, rel=0.02), "of 128 experts a token sees 8"


def test_experts_are_in_4_bits_whatever_the_recipe_does_beforehand(bench, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("gpt_oss", "persona_gpt_oss", "persona_30b_a3b"):
        case = bench.CASES[name]
        recipe = bench.load(bench.REPO / "configs" / f"{case.recipe}.yaml")
        assert bench.config_of(name, case, recipe, tmp_path, tiny=False)["quantize_moe_experts"] is True, name
