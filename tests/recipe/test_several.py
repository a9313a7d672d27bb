"""Recipes for several cards: DeepSpeed's file, and what cannot go together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorewright.errors import RecipeError
from lorewright.plan import make_plan
from lorewright.recipe import load
from lorewright.recipe.check_several import zero_stage

LORA = {"adapter": "lora", "lora_r": 8, "micro_batch_size": 1, "num_epochs": 1}
FOUR_BIT = {"adapter": "qlora", "load_in_4bit": True}
FSDP = {"fsdp_version": 2, "fsdp_config": {"state_dict_type": "FULL_STATE_DICT"}}


def problems(file: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(file, overrides)
    return [line.partition(": ")[2] for line in caught.value.problems]


@pytest.mark.req("F4")
@pytest.mark.parametrize(("name", "stage"), [("zero1", 1), ("zero2", 2), ("zero3", 3), ("zero3_offload", 3)])
def test_the_shipped_settings_are_reached_from_a_recipe(repo: Path, name: str, stage: int) -> None:
    recipe = load(repo / "configs/lora_style_transfer.yaml", (f"axolotl.deepspeed={repo}/configs/deepspeed/{name}.json",))
    assert recipe.axolotl
    settings = recipe.axolotl["deepspeed"]
    assert zero_stage(settings) == stage
    assert ("offload_param" in settings["zero_optimization"]) == (name == "zero3_offload")
    left_to_the_trainer = [key for key, value in settings.items() if value in ("auto", {"enabled": "auto"})]
    assert {"bf16", "train_batch_size", "gradient_accumulation_steps"} <= set(left_to_the_trainer)


def test_the_content_counts_and_not_the_place(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings = {"zero_optimization": {"stage": 2}}
    (tmp_path / "here.json").write_text(json.dumps(settings))
    (tmp_path / "there.json").write_text(json.dumps(settings))
    plans = [make_plan(load(make_recipe(axolotl=LORA | {"deepspeed": f"{name}.json"}, serve={"port": 8000}))) for name in ("here", "there")]
    assert plans[0] == plans[1]
    (tmp_path / "there.json").write_text("{}")
    assert make_plan(load(tmp_path / "small.yaml")) != plans[1]


def test_launcher_and_cards_leave_the_plan_alone(make_recipe) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(axolotl=LORA)
    plan = make_plan(load(file))
    assert make_plan(load(file, ("train.launcher=torchrun", "train.devices=2"))) == plan
    assert make_plan(load(file, ("train.keep_batch=false", "train.devices=2"))) != plan


def test_a_file_that_cannot_be_used_is_told(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    for name, said in (("none", "no such file"), ("list", "expected DeepSpeed's settings as a mapping"), ("broken", "not JSON")):
        found = problems(make_recipe(axolotl=LORA | {"deepspeed": f"{name}.json"}))
        assert len(found) == 1 and found[0].startswith(f"axolotl.deepspeed: {name}.json: {said}")


@pytest.mark.parametrize(
    ("axolotl", "train", "said"),
    [
        (
            FOUR_BIT | {"deepspeed": {"zero_optimization": {"stage": 3}}},
            {},
            "axolotl.deepspeed: ZeRO-3 shares out weights, which load_in_4bit",
        ),
        (FSDP | {"deepspeed": {"zero_optimization": {"stage": 2}}}, {}, "axolotl.deepspeed: stands beside fsdp_config"),
        ({}, {"launcher": "deepspeed"}, "train.launcher: deepspeed needs its settings; set axolotl.deepspeed"),
        ({"fsdp_config": {"state_dict_type": "SHARDED_STATE_DICT"}}, {}, "axolotl.fsdp_config.state_dict_type: a checkpoint would hold"),
        ({}, {"launcher": "slurm"}, 'train.launcher: "slurm" is not one of accelerate, torchrun, deepspeed, ray'),
        ({}, {"devices": "two"}, 'train.devices: expected a number of cards, or all, got "two"'),
        ({"use_ray": True}, {}, "axolotl.use_ray: belongs to lorewright; set train.launcher: ray"),
        ({"ray_num_workers": 2}, {}, "axolotl.ray_num_workers: belongs to lorewright; set train.devices"),
    ],
)
def test_what_cannot_go_together_is_told(make_recipe, axolotl: dict[str, object], train: dict[str, object], said: str) -> None:  # type: ignore[no-untyped-def]
    found = problems(make_recipe(axolotl=LORA | axolotl, train=train))
    assert len(found) == 1 and found[0].startswith(said)


def test_four_bits_go_with_zero_two_and_with_fsdp(make_recipe) -> None:  # type: ignore[no-untyped-def]
    for shared in ({"deepspeed": {"zero_optimization": {"stage": 2}}}, FSDP):
        assert load(make_recipe(axolotl=LORA | FOUR_BIT | shared)).axolotl == LORA | FOUR_BIT | shared
