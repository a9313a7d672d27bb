"""Training with a stand-in that runs out of memory on cue: the next step is taken, the rest goes on as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright.errors import LorewrightError
from lorewright.manifest import latest_manifest, read_json
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from lorewright.training import out_of_memory
from tests.weights import write_model

RunOf = Callable[..., Run]
AXOLOTL = {"adapter": "lora", "lora_r": 32, "lora_alpha": 64, "micro_batch_size": 4, "num_epochs": 1, "sequence_len": 1024}


@pytest.fixture
def trained(make_recipe, run_of: RunOf, fake_tools: Path, card: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:  # type: ignore[no-untyped-def]
    """Runs a recipe to its training's end while the stand-in runs out of memory as told."""

    def train(
        steps: list[Any] | None, *wishes: dict[str, Any], also: str = "", choice: Choice | None = None, accelerator: str = "cpu"
    ) -> Run:
        monkeypatch.setenv("FAKE_MEMORY", json.dumps(wishes))
        monkeypatch.setenv("FAKE_AXOLOTL", also)
        train_part = {"on_out_of_memory": steps} if steps is not None else {}
        run = run_of(make_recipe(axolotl=AXOLOTL, train=train_part))
        run.accelerator = accelerator
        execute(run, choice or Choice(only=("prepare", "train")))
        return run

    return train


def used(run: Run) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text())
    return config


def facts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = read_json(run.done["train"] / "step.json")["facts"]
    return found


def trainings(calls: Path) -> int:
    return sum(json.loads(line)["argv"][0] == "train" for line in calls.read_text().splitlines())


def weights(run: Run) -> str:
    return re.findall(r"trained from step \d+", (run.done["train"] / "adapter" / "adapter_model.safetensors").read_text())[0]


@pytest.mark.req("F4")
def test_a_smaller_batch_goes_on_from_the_checkpoint(trained, fake_tools: Path, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    run = trained(None, {"phase": "training", "step": 3, "until": "micro_batch_size: 1"})
    assert (used(run)["micro_batch_size"], used(run)["gradient_accumulation_steps"]) == (1, 4)
    assert weights(run) == "trained from step 2"
    assert trainings(fake_tools) == 3
    lines = capfd.readouterr().err
    assert (
        "train     out of memory while training (step 3 of 4): micro_batch, micro_batch_size 4 -> 2, gradient_accumulation_steps unset"
        in lines
    )
    assert "train     goes on from step 2\n" in lines
    assert [epoch for epoch, _ in facts(run)["loss_curve"]] == [0.25, 0.5, 0.75, 1.0]
    steps = facts(run)["out_of_memory"]
    assert [(step["step"], step["phase"], step["at_step"], step["anew"]) for step in steps] == [("micro_batch", "training", 3, False)] * 2
    assert facts(run)["said"].endswith("; micro_batch_size 2 -> 1, gradient_accumulation_steps 2 -> 4")
    manifest = latest_manifest(run.paths.manifests)
    assert manifest and manifest["steps"]["train"]["facts"]["out_of_memory"] == steps
    record = read_json(run.done["train"] / "out_of_memory.json")
    assert record["asked"] == {"micro_batch_size": 4, "gradient_accumulation_steps": None}
    assert record["used"] == {"micro_batch_size": 1, "gradient_accumulation_steps": 4}


@pytest.mark.req("F4", "S3")
def test_another_result_begins_anew(trained, fake_tools: Path, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    steps = [{"sequence_len": 768}, {"rank": 16}, "attention_only", "quantise"]
    run = trained(steps, {"phase": "training", "step": 3, "until": "load_in_8bit: true"})
    assert weights(run) == "trained from step 0"
    assert trainings(fake_tools) == 5
    assert capfd.readouterr().err.count("begins anew, for its checkpoints are of another training") == 4
    assert [epoch for epoch, _ in facts(run)["loss_curve"]] == [0.25, 0.5, 0.75, 1.0]
    assert [step["step"] for step in facts(run)["out_of_memory"]] == ["sequence_len", "rank", "attention_only", "quantise"]
    assert (used(run)["sequence_len"], used(run)["lora_r"], used(run)["lora_alpha"]) == (768, 16, 32)


def test_checkpointing_goes_on(trained) -> None:  # type: ignore[no-untyped-def]
    run = trained(["checkpointing"], {"phase": "training", "step": 2, "until": "gradient_checkpointing: true"})
    assert weights(run) == "trained from step 1"


def test_the_plan_is_not_compared_with_a_training_that_was_changed(trained, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("lorewright.stages.trained.latest_manifest", lambda folder: {"forecast": {"peak_vram_bytes": 9.5 * 2**30}})
    run = trained(["checkpointing"], {"phase": "training", "step": 2, "until": "gradient_checkpointing: true"})
    page = (run.done["train"] / "report.html").read_text(encoding="utf-8")
    assert "out of memory while training" in page and "the plan expected" not in page


@pytest.mark.req("R2")
def test_on_a_card_the_machines_memory_helps_and_without_one_it_cannot(trained) -> None:  # type: ignore[no-untyped-def]
    wish = {"phase": "training", "step": 3, "until": "layer_offloading: true"}
    with pytest.raises(LorewrightError, match="offload: without a card it is the same memory"):
        trained(["offload"], wish)
    run = trained(["offload"], wish, accelerator="cuda")
    assert (used(run)["gradient_checkpointing"], used(run)["activation_offloading"]) == (True, "hidden_states")
    assert weights(run) == "trained from step 2"


@pytest.mark.req("F4")
def test_an_evaluation_gets_a_smaller_batch_of_its_own(trained) -> None:  # type: ignore[no-untyped-def]
    run = trained(None, {"phase": "evaluating", "until": "eval_batch_size: 1"})
    assert (used(run)["eval_batch_size"], used(run)["micro_batch_size"]) == (1, 4)
    assert [step["phase"] for step in facts(run)["out_of_memory"]] == ["evaluating"] * 2


@pytest.mark.req("F4", "P6")
def test_a_model_that_does_not_load_is_quantised_and_no_time_lost_on_other_steps(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    run = trained(None, {"phase": "loading", "until": "adapter: qlora"})
    assert [step["step"] for step in facts(run)["out_of_memory"]] == ["quantise", "quantise"]
    assert trainings(fake_tools) == 3
    assert (used(run)["micro_batch_size"], used(run)["load_in_4bit"], used(run)["load_in_8bit"]) == (4, True, False)


@pytest.mark.req("F4")
def test_what_failed_before_an_interruption_is_not_tried_again(trained, fake_tools: Path, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    wish = {"phase": "training", "step": 2, "until": "micro_batch_size: 2"}
    with pytest.raises(LorewrightError, match="axolotl train failed"):
        trained(None, wish, also="die 3")
    capfd.readouterr()
    before = trainings(fake_tools)
    run = trained(None, wish)
    assert trainings(fake_tools) == before + 1, "the micro-batch that does not fit is not tried again"
    assert weights(run) == "trained from step 3"
    assert "an earlier try ran out of memory, so it goes on with micro_batch_size 4 -> 2" in capfd.readouterr().err
    assert [step["step"] for step in facts(run)["out_of_memory"]] == ["micro_batch"]


@pytest.mark.req("F4")
def test_memory_that_runs_out_while_resuming(trained) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError):
        trained(None, also="die 2")
    run = trained(None, {"phase": "resuming", "until": "micro_batch_size: 2"})
    assert [(step["phase"], step["at_step"]) for step in facts(run)["out_of_memory"]] == [("resuming", 2)]
    assert weights(run) == "trained from step 2"


@pytest.mark.req("F4")
def test_the_kernels_kill_is_a_want_of_memory_and_another_kill_is_not(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    counter = tmp_path / "vmstat"
    counter.write_text("nr_free_pages 1\noom_kill 4\n")
    monkeypatch.setattr(out_of_memory, "COUNTER", counter)
    with pytest.raises(LorewrightError, match="ended by signal 9"):
        trained(None, also="die 1", choice=Choice(only=("prepare", "train")))
    run = trained(None, {"phase": "training", "step": 3, "until": "micro_batch_size: 2", "kernel": str(counter)})
    assert [step["said"] for step in facts(run)["out_of_memory"]] == ["micro_batch_size 4 -> 2, gradient_accumulation_steps unset -> 2"]


@pytest.mark.req("F4")
def test_the_end_of_the_ladder_says_what_was_tried(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    steps = [{"micro_batch": 2}, {"rank": 16}]
    with pytest.raises(LorewrightError) as problem:
        trained(steps, {"phase": "training", "step": 3, "until": "never"})
    assert trainings(fake_tools) == 3
    assert problem.value.what == (
        "axolotl train failed (exit 1): the GPU ran out of memory while training (step 3 of 4); "
        "tried micro_batch_size 4 -> 2, gradient_accumulation_steps unset -> 2; lora_r 32 -> 16, lora_alpha 64 -> 32; "
        "nothing is left in train.on_out_of_memory (micro_batch: micro_batch_size is 2; rank: lora_r is 16)"
    )
    assert "allow more of them there" in problem.value.remedy
    run = trained([*steps, {"sequence_len": 512}], {"phase": "training", "step": 3, "until": "sequence_len: 512"})
    assert trainings(fake_tools) == 5, "a step that is added goes on below the ones that failed"
    assert (used(run)["lora_r"], used(run)["sequence_len"]) == (16, 512)


@pytest.mark.req("F4")
def test_a_recipe_that_forbids_is_obeyed(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(
        LorewrightError, match=r"ran out of memory while training \(step 3 of 4\); train.on_out_of_memory has no step for it"
    ):
        trained([], {"phase": "training", "step": 3, "until": "never"})
    assert trainings(fake_tools) == 1


def test_a_step_that_is_forbidden_later_is_taken_back(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError):
        trained(["rank"], {"phase": "training", "step": 3, "until": "never"})
    run = trained([])
    assert used(run)["lora_r"] == 32
    assert weights(run) == "trained from step 0"
    assert "out_of_memory" not in facts(run)
    assert read_json(run.done["train"] / "out_of_memory.json")["taken"] == []


def test_a_batch_that_is_forbidden_later_leaves_the_checkpoints_alone(trained) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError):
        trained(["micro_batch"], {"phase": "training", "step": 3, "until": "never"})
    run = trained([])
    assert (used(run)["micro_batch_size"], weights(run)) == (4, "trained from step 2")
    assert read_json(run.done["train"] / "out_of_memory.json") == {"asked": {}, "used": {}, "taken": [], "clear": False}


def test_force_tries_the_recipe_as_it_is(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError):
        trained(["rank"], {"phase": "training", "step": 3, "until": "never"})
    run = trained(["rank"], choice=Choice(only=("train",), force=True))
    assert used(run)["lora_r"] == 32


@pytest.mark.req("P6")
def test_a_fallback_model_is_trained_merged_and_recorded(trained, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = write_model(tmp_path / "smaller", {"smaller": (2, 2)})
    steps = [{"fallback_model": "./smaller", "axolotl": {"lora_dropout": 0.0}}]
    wish = {"phase": "loading", "until": f"base_model: {small}"}
    run = trained(steps, wish, choice=Choice(only=("prepare", "train", "merge")))
    assert (used(run)["base_model"], used(run)["lora_dropout"]) == (str(small), 0.0)
    merged = (run.done["merge"] / "merged" / "model.safetensors").read_bytes()
    assert b"smaller" in merged, "merged into the model it was trained on"
    assert read_json(run.done["train"] / "out_of_memory.json")["used"]["base_model"] == str(small)
    for file in ("lineage.json", "adapter/README.md"):
        text = (run.done["train"] / file).read_text(encoding="utf-8")
        assert "base_model base -> smaller" in text and str(tmp_path) not in text, "a card leaves this machine"


@pytest.mark.req("F5")
def test_a_merge_that_does_not_fit_on_the_card_is_made_by_the_processor(trained, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    wish = {"phase": "merging", "until": "CUDA_VISIBLE_DEVICES="}
    whole = Choice(only=("prepare", "train", "merge"))
    with pytest.raises(LorewrightError, match="axolotl merge-lora failed"):
        trained(None, wish, choice=whole)
    run = trained(None, wish, choice=whole, accelerator="cuda")
    assert "merge     out of memory while merging on the card: once more, on the processor" in capfd.readouterr().err
    assert read_json(run.done["merge"] / "step.json")["facts"]["by_processor"] is True
