"""Training on two cards that are a stand-in: which are taken, what each is told, and what is refused."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright import envs
from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.runner import Choice, execute
from lorewright.stages import Run

ZERO2 = {"zero_optimization": {"stage": 2}}
BATCH = {"adapter": "lora", "lora_r": 8, "micro_batch_size": 2, "gradient_accumulation_steps": 4, "num_epochs": 1}
SMI = """#!/bin/sh
printf '0, GPU-aaaa, NVIDIA H200, 143771, 143000\\n1, GPU-bbbb, NVIDIA H200, 143771, 143000\\n'
"""


@pytest.fixture
def trained(make_recipe, run_of, fake_tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:  # type: ignore[no-untyped-def]
    """Runs a recipe to its training's end on two cards; keyword arguments: its `train` section."""
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(SMI)
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def train(axolotl: dict[str, Any] = BATCH, accelerator: str = "cuda", also: str = "train", **part: Any) -> Run:
        run: Run = run_of(make_recipe(axolotl=axolotl, train=part))
        run.accelerator = accelerator
        execute(run, Choice(only=("prepare", "train", also)))
        return run

    return train


def told(run: Run) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text())
    return config


def training(calls: Path) -> dict[str, Any]:
    """The newest call of the trainer."""
    found: dict[str, Any] = [call for call in map(json.loads, calls.read_text().splitlines()) if call["argv"][0] == "train"][-1]
    return found


def have(*names: str) -> None:
    """The train environment has these beside it."""
    for name in names:
        place = envs.locate("train").path / "extras" / name
        place.mkdir(parents=True)
        (place / "added.json").write_text(json.dumps({"name": name, "version": "1", "how": "here"}))


@pytest.mark.req("F4")
def test_both_cards_share_the_batch_and_the_result_is_the_same_stage(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    run = trained()
    assert (told(run)["micro_batch_size"], told(run)["gradient_accumulation_steps"]) == (2, 2)
    call = training(fake_tools)
    assert call["argv"][1:7] == ["axolotl.yaml", "--launcher", "accelerate", "--", "--multi_gpu", "--num_processes"]
    assert call["cards"] is None, "it sees what it saw before"
    ledger = read_json(run.done["ledger"] / "step.json")["facts"]
    assert ledger["devices"] == 2
    one = trained(devices=1)
    assert one.done["train"] == run.done["train"], "one card makes the same adapter: nothing is trained again"


@pytest.mark.req("F4")
def test_one_of_two_cards_leaves_the_other_alone(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    run = trained(devices=1)
    assert training(fake_tools)["argv"] == ["train", "axolotl.yaml"]
    assert training(fake_tools)["cards"] == "0"
    assert told(run)["gradient_accumulation_steps"] == 4


def test_each_card_takes_the_whole_batch_where_the_recipe_says_so(trained) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError, match="train.devices: with keep_batch: false the number of cards makes the result"):
        trained(keep_batch=False)
    run = trained(keep_batch=False, devices=2)
    assert told(run)["gradient_accumulation_steps"] == 4
    again = trained(keep_batch=False, devices=1)
    assert again.done["train"] != run.done["train"], "another batch is another training"


def test_torchrun_and_the_smaller_batch_after_memory_ran_out(  # type: ignore[no-untyped-def]
    trained, fake_tools: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_MEMORY", json.dumps([{"phase": "training", "step": 3, "until": "micro_batch_size: 1"}]))
    run = trained(launcher="torchrun")
    assert training(fake_tools)["argv"][2:] == ["--launcher", "torchrun", "--", "--standalone", "--nproc_per_node", "2"]
    assert (told(run)["micro_batch_size"], told(run)["gradient_accumulation_steps"]) == (1, 4), "8 examples a step, as before"
    assert "micro_batch_size 2 -> 1, gradient_accumulation_steps 4 -> 8" in capfd.readouterr().err
    assert "trained from step 2" in (run.done["train"] / "adapter" / "adapter_model.safetensors").read_text()


def test_more_cards_than_there_are_is_refused(trained, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError, match="train.devices is 4, and 2 cards are visible"):
        trained(devices=4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(LorewrightError, match="a training needs a card, and no cards are visible"):
        trained()


def test_what_is_not_there_is_named_with_the_command_that_adds_it(trained, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError, match="train.launcher ray needs ray") as problem:
        trained(launcher="ray")
    assert problem.value.remedy == "./lorewright envs add ray"
    with pytest.raises(LorewrightError, match="axolotl.deepspeed needs deepspeed, which is not in the train environment"):
        trained(BATCH | {"deepspeed": ZERO2})
    have("ray")
    trained(launcher="ray")
    assert training(fake_tools)["argv"] == ["train", "axolotl.yaml", "--use-ray", "--ray-num-workers", "2"]


def test_deepspeeds_settings_stand_beside_the_configuration_and_go_on_with_as_many_cards(trained) -> None:  # type: ignore[no-untyped-def]
    have("deepspeed")
    run = trained(BATCH | {"deepspeed": ZERO2}, also="merge", finished_checkpoints="whole")
    assert "deepspeed" not in yaml.safe_load((run.done["merge"] / "axolotl.yaml").read_text())
    assert told(run)["deepspeed"] == "deepspeed.json"
    assert read_json(run.done["train"] / "deepspeed.json") == ZERO2
    assert "deepspeed" not in yaml.safe_load((run.done["ledger"] / "axolotl.yaml").read_text()), "reading a set needs no cards"
    partial = run.done["train"].with_suffix(".partial")
    run.done["train"].rename(partial)
    shares = partial / "adapter" / "checkpoint-4" / "global_step4"
    shares.mkdir()
    for rank in range(2):
        with zipfile.ZipFile(shares / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt", "w") as archive:
            archive.writestr("data", "")
    with pytest.raises(LorewrightError, match="made by 2 cards, and DeepSpeed goes on with as many only; there are 1"):
        trained(BATCH | {"deepspeed": ZERO2}, devices=1)
    trained(BATCH | {"deepspeed": ZERO2})


def test_without_a_card_one_process_trains_whatever_the_recipe_says(trained, fake_tools: Path, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    run = trained(BATCH | {"deepspeed": ZERO2}, "cpu", launcher="deepspeed", devices=2)
    assert training(fake_tools)["argv"] == ["train", "axolotl.yaml"]
    assert "deepspeed" not in told(run)
    said = capfd.readouterr().err
    assert "train     launcher deepspeed became accelerate: there is no card" in said
    assert "train     deepspeed left out: it needs a GPU" in said
