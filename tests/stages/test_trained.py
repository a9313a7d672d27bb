"""What is left beside the adapter when a training has ended, with the stand-in for Axolotl."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.models.lineage import values_digest
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from tests.conftest import stand_in_smi
from tests.data.style.test_picture import assert_self_contained

RunOf = Callable[..., Run]
KEYS = {
    "steps", "tokens", "seconds", "tokens_per_second", "peak_vram_bytes", "trainable_parameters", "total_parameters", "energy_joules", "device",
    "gpus", "final_loss", "eval_loss",
}  # fmt: skip
SMI = """#!/bin/sh
case $1 in
  *power.draw*) printf 'GPU-aaaa, 300.00, 20000\\nGPU-bbbb, 200.00, 21000\\n' ;;
  --query-gpu=*) printf '0, GPU-aaaa, NVIDIA H200, 143771, 143000\\n1, GPU-bbbb, NVIDIA H200, 143771, 143000\\n' ;;
esac
"""
TRAINED = Choice(only=("prepare", "train"))


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards that draw 500 W together."""
    stand_in_smi(SMI, tmp_path, monkeypatch)


def left(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = read_json(run.done["train"] / "training.json")
    return found


def page_of(run: Run) -> str:
    return (run.done["train"] / "report.html").read_text(encoding="utf-8")


@pytest.mark.req("F4")
def test_figures_page_and_curves_lie_beside_the_adapter(
    make_recipe, run_of: RunOf, fake_tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    run = run_of(make_recipe())
    execute(run, TRAINED)
    record = left(run)
    assert set(record) >= KEYS
    assert (record["steps"], record["tokens"], record["trainable_parameters"], record["total_parameters"]) == (4, 2048, 1000, 20000)
    assert (record["final_loss"], record["eval_loss"], record["gpus"], record["energy_joules"]) == (2.0, 4.5, 0, None)
    assert record["peak_vram_bytes"] == round(9.97 * 2**30) and record["reserved_vram_bytes"] == round(11.5 * 2**30)
    for name in ("loss.png", "loss.dark.png"):
        assert (run.done["train"] / name).read_bytes()[:4] == b"\x89PNG"
    page = page_of(run)
    assert_self_contained(page)
    for said in (
        "base, trained on",
        "1,000 of 20,000 (5.00%)",
        "9.97 GiB at the peak, 11.50 GiB taken from the card",
        "<polyline",
        "LoRA, rank 8",
    ):
        assert said in page, said
    assert "expected" not in page and "For want of memory" not in page
    linked = (run.done["train"] / page.split('<a href="../')[1].split('"')[0].join(("../", ""))).resolve()
    assert linked == run.done["ledger"] / "report.html"
    assert "train     report: " in capfd.readouterr().err


@pytest.mark.req("F4")
def test_a_cut_off_training_gives_one_curve_and_honest_figures(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    monkeypatch.setenv("FAKE_AXOLOTL", "die 3")
    with pytest.raises(LorewrightError):
        execute(run_of(file), TRAINED)
    partial = next((run_of(file).paths.home / "train").glob("*.partial"))
    (partial / "adapter" / "checkpoint-3" / "trainer_state.json").write_text('{"glob')
    monkeypatch.delenv("FAKE_AXOLOTL")
    run = run_of(file)
    execute(run, TRAINED)
    record = left(run)
    assert (record["attempts"], record["steps"], record["tokens"]) == (2, 4, 2048)
    logged = [json.loads(line) for line in (run.done["train"] / "points.jsonl").read_text().splitlines()]
    assert [(point["step"], point["attempt"]) for point in logged if "loss" in point] == [(1, 1), (2, 1), (3, 1), (3, 2), (4, 2)]
    assert "in 2 attempts, for it was cut off" in page_of(run)
    assert page_of(run).count("</circle>") == 2, "each attempt's first evaluation: at the start and at step 2"


@pytest.mark.req("F4")
def test_steps_for_want_of_memory_are_on_page_and_card(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    wish = {"phase": "training", "step": 3, "until": "micro_batch_size: 2"}
    monkeypatch.setenv("FAKE_MEMORY", json.dumps([wish]))
    run = run_of(make_recipe(axolotl={"adapter": "lora", "lora_r": 8, "micro_batch_size": 4, "num_epochs": 1}))
    execute(run, TRAINED)
    said = "micro_batch_size 4 -&gt; 2, gradient_accumulation_steps unset -&gt; 2 (out of memory while training, step 3)"
    assert said in page_of(run) and "each of 4 examples (2 at a time, 2 gathered); 1 epoch<" in page_of(run)
    card = (run.done["train"] / "adapter" / "README.md").read_text(encoding="utf-8")
    assert "| for want of memory | micro_batch_size 4 -> 2" in card
    assert left(run)["tokens"] == 2048


def test_what_the_cards_draw_is_added_up(
    make_recipe, run_of: RunOf, fake_tools: Path, cards: None, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("lorewright.training.meter.Meter.__init__.__defaults__", (0.05,))
    monkeypatch.setenv("FAKE_AXOLOTL", f"curve {'3.0 ' * 50}")
    run = run_of(make_recipe())
    run.accelerator = "cuda"
    execute(run, TRAINED)
    record = left(run)
    assert (record["device"], record["gpus"]) == ("NVIDIA H200", 2)
    assert 0.3 * 500 < record["energy_joules"] < 500 * record["whole_seconds"] * 1.2
    assert "2 × NVIDIA H200" in page_of(run)
    assert f"{record['energy_joules'] / 3600:.1f} Wh, drawn by the cards" in page_of(run)


def test_the_adapter_of_the_best_step_is_told_as_such(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FAKE_BEST", "3")
    run = run_of(make_recipe(axolotl={"adapter": "lora", "lora_r": 8, "early_stopping_patience": 2, "eval_steps": 1, "save_steps": 1}))
    execute(run, TRAINED)
    assert left(run)["adapter_step"] == 3
    other = run_of(make_recipe(axolotl={"adapter": "lora", "lora_r": 8}))
    execute(other, TRAINED)
    assert left(other)["adapter_step"] == 4, "not told to take the best, it keeps the last"


def test_the_plans_expectation_stands_beside_the_peak(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    run = run_of(make_recipe())
    monkeypatch.setattr("lorewright.stages.trained.latest_manifest", lambda folder: {"forecast": {"peak_vram_bytes": 9.5 * 2**30}})
    execute(run, TRAINED)
    assert "; the plan expected 9.50 GiB (+5%)" in page_of(run)


@pytest.mark.req("F4")
def test_tensorboard_is_on_unless_the_recipe_says_otherwise(
    make_recipe, run_of: RunOf, fake_tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    def config(*overrides: str) -> dict[str, Any]:
        run = run_of(make_recipe(), *overrides)
        execute(run, TRAINED)
        found: dict[str, Any] = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text())
        return found

    assert config()["use_tensorboard"] is True
    assert config("axolotl.use_tensorboard=false")["use_tensorboard"] is False
    trained = [json.loads(line) for line in fake_tools.read_text().splitlines()]
    assert [call.get("tensorboard") for call in trained if call["argv"][0] == "train"] == ["tensorboard"] * 2
    assert "TensorBoard" not in capfd.readouterr().err, "the stand-in has written none"


@pytest.mark.req("F4", "F5")
def test_the_cards_tell_where_the_model_comes_from(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    run = run_of(file)
    execute(run)
    wanted = [hashlib.sha256(source.read_bytes()).hexdigest() for source in (file, run.done["prepare"] / "training.jsonl")]
    for folder, library in ((run.done["train"] / "adapter", "peft"), (run.done["merge"] / "merged", "transformers")):
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert ModelCard(card).data.to_dict()["library_name"] == library
        for said in (
            *wanted,
            values_digest(run.recipe),
            run.done["train"].name,
            "- 1.txt",
            "| trained | 13 |",
            "> You are a fiction writer.",
        ):
            assert said in card, said
        assert str(run.paths.root.parent) not in card, "no path of this machine"


def test_a_held_out_loss_that_is_no_number_spoils_nothing(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FAKE_EVAL_LOSS", "nan")
    run = run_of(make_recipe())
    execute(run, TRAINED)
    assert left(run)["eval_loss"] is None
    assert "The loss on the trained text went from" in page_of(run)


def test_a_training_that_left_no_tokenizer_is_kept_with_the_base_models(  # type: ignore[no-untyped-def]
    make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_AXOLOTL", "no tokenizer")
    run = run_of(make_recipe())
    execute(run, TRAINED)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (run.done["train"] / "adapter" / name).read_bytes() == (tmp_path / "base" / name).read_bytes()
    assert "train     the trainer left no tokenizer beside the adapter; the base model's was put there" in capfd.readouterr().err


def test_a_lost_training_leaves_its_curve(make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FAKE_AXOLOTL", f"curve {'2.0 ' * 20}{'nan ' * 3}")
    run = run_of(make_recipe())
    with pytest.raises(LorewrightError, match=r"is not a number.*its curve is .*loss\.png") as told:
        execute(run, TRAINED)
    assert "checkpoint-19 is from before" in str(told.value)
    assert next((run.paths.home / "train").glob("*.partial/loss.png")).exists()
