"""The out-of-memory ladder: what each step changes, in which order, and when it has nothing to give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorewright.recipe import Rung, load
from lorewright.training import ladder_record
from lorewright.training.ladder import ATTENTION, STEPS, Situation, Taken, applied, next_step
from lorewright.training.render import axolotl_config

CONFIGS = Path(__file__).parents[2] / "configs"
QLORA: dict[str, Any] = {
    "adapter": "qlora", "load_in_4bit": True, "lora_r": 64, "lora_alpha": 128, "lora_target_linear": True, "sequence_len": 2048,
    "micro_batch_size": 4, "gradient_accumulation_steps": 4, "gradient_checkpointing": True, "base_model": "org/large",
}  # fmt: skip
LORA = QLORA | {"adapter": "lora", "load_in_4bit": False}


def step(config: dict[str, Any], *rungs: Rung, phase: str = "training", taken: tuple[Taken, ...] = ()) -> Taken | list[str]:
    return next_step(Situation(config, phase, taken), rungs, 7)


def all_steps(config: dict[str, Any], *rungs: Rung, phase: str = "training") -> tuple[list[str], dict[str, Any]]:
    """(every step until there is none, the configuration at the end)."""
    taken: tuple[Taken, ...] = ()
    while isinstance(found := step(applied(config, taken), *rungs, phase=phase, taken=taken), Taken):
        taken = (*taken, found)
        assert len(taken) < 30, "the ladder must end"
    return [f"{one.step}: {one.said}{' (anew)' if one.anew else ''}" for one in taken], applied(config, taken)


@pytest.mark.req("F4", "P6", "S3")
@pytest.mark.parametrize(("name", "config", "wanted"), [
    ("micro_batch", QLORA, ["micro_batch_size 4 -> 2, gradient_accumulation_steps 4 -> 8", "micro_batch_size 2 -> 1, gradient_accumulation_steps 8 -> 16"]),
    ("checkpointing", QLORA | {"gradient_checkpointing": False}, ["gradient_checkpointing false -> true"]),
    ("offload", QLORA, ["activation_offloading unset -> hidden_states", "layer_offloading unset -> true"]),
    ("quantise", LORA, ["load_in_8bit unset -> true (anew)", "adapter lora -> qlora, load_in_8bit true -> false, load_in_4bit false -> true (anew)"]),
    ("sequence_len", QLORA, ["sequence_len 2048 -> 1024, excess_length_strategy unset -> truncate (anew)", "sequence_len 1024 -> 512 (anew)", "sequence_len 512 -> 256 (anew)"]),
    ("rank", QLORA, ["lora_r 64 -> 32, lora_alpha 128 -> 64 (anew)", "lora_r 32 -> 16, lora_alpha 64 -> 32 (anew)", "lora_r 16 -> 8, lora_alpha 32 -> 16 (anew)"]),
    ("attention_only", QLORA, ["lora_target_linear true -> unset, lora_target_modules unset -> q_proj+k_proj+v_proj+o_proj (anew)"]),
])  # fmt: skip
def test_a_bare_step_goes_as_far_as_it_can(name: str, config: dict[str, Any], wanted: list[str]) -> None:
    assert all_steps(config, Rung(name))[0] == [f"{name}: {said}" for said in wanted]


def test_every_step_of_the_schema_is_known(repo: Path) -> None:
    import json

    part = json.loads((repo / "configs/schema/recipe.schema.json").read_text())["properties"]["train"]["properties"]["on_out_of_memory"]
    bare, bounded = part["items"]["anyOf"]
    assert {*bare["enum"], *bounded["properties"]} - {"axolotl"} == set(STEPS)


@pytest.mark.parametrize(("micro", "gathered"), [(4, 4), (3, 1), (6, 5), (7, 2), (1, 8), (12, 1)])
def test_the_examples_of_a_step_stay_whatever_the_batch(micro: int, gathered: int) -> None:
    said, config = all_steps({"micro_batch_size": micro, "gradient_accumulation_steps": gathered}, Rung("micro_batch"))
    assert (config["micro_batch_size"], config["gradient_accumulation_steps"]) == (1, micro * gathered)
    assert all("anew" not in one for one in said)
    _, config = all_steps({"micro_batch_size": micro, "batch_size": micro * gathered}, Rung("micro_batch"))
    assert config["gradient_accumulation_steps"] == micro * gathered if micro > 1 else config["batch_size"] == gathered
    assert not (config.get("batch_size") and config.get("gradient_accumulation_steps")), "Axolotl refuses both"


def test_with_packed_samples_another_micro_batch_is_another_training() -> None:
    said, _ = all_steps(QLORA | {"sample_packing": True}, Rung("micro_batch", 2))
    assert said == ["micro_batch: micro_batch_size 4 -> 2, gradient_accumulation_steps 4 -> 8 (anew)"]
    said, _ = all_steps(QLORA | {"sample_packing": True, "eval_batch_size": 2}, Rung("micro_batch"), phase="evaluating")
    assert said == ["micro_batch: eval_batch_size 2 -> 1"]


def test_bounds_are_kept() -> None:
    assert all_steps(QLORA, Rung("micro_batch", 2), Rung("rank", 32), Rung("sequence_len", 768))[0] == [
        "micro_batch: micro_batch_size 4 -> 2, gradient_accumulation_steps 4 -> 8",
        "rank: lora_r 64 -> 32, lora_alpha 128 -> 64 (anew)",
        "sequence_len: sequence_len 2048 -> 768, excess_length_strategy unset -> truncate (anew)",
    ]
    assert step(QLORA, Rung("rank", 64), Rung("sequence_len", 4096), Rung("micro_batch", 4)) == [
        "rank: lora_r is 64", "sequence_len: sequence_len is 2048", "micro_batch: micro_batch_size is 4",
    ]  # fmt: skip


def test_the_recipes_own_word_on_long_examples_is_kept() -> None:
    _, config = all_steps(QLORA | {"excess_length_strategy": "drop"}, Rung("sequence_len", 512))
    assert config["excess_length_strategy"] == "drop"


def test_attention_keeps_what_the_recipe_had_of_it() -> None:
    _, config = all_steps({"adapter": "lora", "lora_target_modules": ["q_proj", "v_proj", "up_proj"]}, Rung("attention_only"))
    assert config["lora_target_modules"] == ["q_proj", "v_proj"]
    assert step({"adapter": "lora", "lora_target_modules": ["q_proj"]}, Rung("attention_only")) == [
        "attention_only: the adapter is on the attention alone"
    ]
    assert all_steps({"adapter": "lora", "lora_target_modules": ["up_proj"]}, Rung("attention_only"))[1]["lora_target_modules"] == [
        *ATTENTION
    ]


def test_while_loading_only_a_smaller_model_helps() -> None:
    rungs = [Rung(name) for name in STEPS if name != "fallback_model"] + [Rung("fallback_model", "org/small")]
    said, _ = all_steps(LORA, *rungs, phase="loading")
    assert [one.partition(":")[0] for one in said] == ["quantise", "quantise", "fallback_model"]
    assert "micro_batch: does not help while loading" in step(QLORA, Rung("micro_batch"), phase="loading")


def test_while_evaluating_its_own_batch_is_halved_and_the_training_left_alone() -> None:
    said, config = all_steps(QLORA, Rung("micro_batch", 2), Rung("checkpointing"), Rung("offload"), phase="evaluating")
    assert said == ["micro_batch: eval_batch_size unset -> 2", "micro_batch: eval_batch_size 2 -> 1"]
    assert config["micro_batch_size"] == 4
    _, later = all_steps(QLORA | {"eval_batch_size": 4}, Rung("micro_batch"))
    assert later["eval_batch_size"] == 1, "an evaluation is not left with a larger batch than the training has room for"


def test_on_a_processor_nothing_is_moved_to_the_memory_it_is_in() -> None:
    assert step(QLORA | {"device_map": "cpu"}, Rung("offload")) == ["offload: without a card it is the same memory"]
    three = {"deepspeed": {"zero_optimization": {"stage": 3}}}
    fsdp = {"gradient_checkpointing": False, "fsdp_config": {"activation_checkpointing": True}}
    shared = "offload: the model is shared out to the cards; fsdp_config.offload_params or deepspeed/zero3_offload.json offloads it"
    assert step(LORA | three, Rung("offload"), Rung("quantise")) == [shared, "quantise: ZeRO-3 shares out the weights"]
    assert step(LORA | fsdp, Rung("offload"), Rung("checkpointing")) == [shared, "checkpointing: gradient_checkpointing is on"]


def test_a_fallback_model_starts_from_the_recipes_own_keys() -> None:
    moe = {"quantize_moe_experts": True, "lora_target_linear": None, "lora_target_modules": [*ATTENTION]}
    rungs = (Rung("sequence_len", 768), Rung("fallback_model", "org/moe@v2", moe), Rung("fallback_model", "org/small"))
    taken: tuple[Taken, ...] = ()
    for _ in range(2):
        taken = (*taken, step(applied(QLORA, taken), *rungs, taken=taken))  # type: ignore[arg-type]
    config = applied(QLORA, taken)
    assert (config["base_model"], config["revision_of_model"], config["quantize_moe_experts"]) == ("org/moe", "v2", True)
    taken = (*taken, step(config, *rungs, taken=taken))  # type: ignore[arg-type]
    config = applied(QLORA, taken)
    assert config == QLORA | {"base_model": "org/small", "sequence_len": 768, "excess_length_strategy": "truncate"}
    assert step(config, *rungs, taken=taken) == [
        "sequence_len: sequence_len is 768", "fallback_model: org/moe was tried", "fallback_model: org/small was tried",
    ]  # fmt: skip


def rungs_of(name: str) -> tuple[list[str], dict[str, Any]]:
    """(the steps of a shipped recipe on a GPU, the last configuration)."""
    recipe = load(CONFIGS / name)
    config, _ = axolotl_config(recipe, training="t", validation="v", accelerator="cuda")
    return all_steps(config, *recipe.train.on_out_of_memory)


@pytest.mark.req("F4")
@pytest.mark.parametrize("name", ["qlora_style_transfer.yaml", "lora_style_transfer.yaml"])
def test_style_transfer_goes_to_two_by_eight_then_to_rank_32(name: str) -> None:
    said, _ = rungs_of(name)
    assert said == [
        "micro_batch: micro_batch_size 4 -> 2, gradient_accumulation_steps 4 -> 8",
        "rank: lora_r 64 -> 32, lora_alpha 128 -> 64 (anew)",
    ]


@pytest.mark.req("P6")
@pytest.mark.parametrize("name", ["persona_completion.yaml", "persona_qa.yaml"])
def test_personas_get_shorter_then_other_models(name: str) -> None:
    said, config = rungs_of(name)
    assert [one.split(", ")[0] for one in said] == [
        "sequence_len: sequence_len 1024 -> 768",
        "fallback_model: base_model Qwen/Qwen3-14B -> Qwen/Qwen3-30B-A3B",
        "fallback_model: base_model Qwen/Qwen3-30B-A3B -> Qwen/Qwen3-8B",
    ]
    assert config["lora_target_linear"] is True, "the dense model is trained as the recipe says"
    assert "quantize_moe_experts" not in config


@pytest.mark.req("S3")
def test_longform_on_8_gb_gets_shorter_smaller_and_attention_only() -> None:
    said, config = rungs_of("scientific_longform.yaml")
    assert [one.split(", ")[0].removesuffix(" (anew)") for one in said] == [
        "sequence_len: sequence_len 512 -> 256", "rank: lora_r 16 -> 8", "attention_only: lora_target_linear true -> unset",
    ]  # fmt: skip
    assert (config["sequence_len"], config["lora_r"], config["lora_target_modules"]) == (256, 8, [*ATTENTION])


def test_without_a_word_the_result_is_only_quantised() -> None:
    assert [rung.step for rung in load(CONFIGS / "starter.yaml").train.on_out_of_memory] == [
        "micro_batch", "checkpointing", "offload", "quantise",
    ]  # fmt: skip


def test_what_was_taken_is_remembered_as_far_as_the_recipe_still_allows_it(tmp_path: Path) -> None:
    taken: tuple[Taken, ...] = ()
    for name in ("micro_batch", "rank"):
        taken = (*taken, step(applied(QLORA, taken), Rung(name), taken=taken))  # type: ignore[arg-type]
    ladder_record.write(tmp_path, QLORA, taken, clear=False)
    assert ladder_record.read(tmp_path, [Rung("micro_batch"), Rung("rank", 16)]) == (taken, False)
    assert ladder_record.read(tmp_path, [Rung("micro_batch")]) == (taken[:1], True), "what a lower rank left is of another training"
    assert ladder_record.read(tmp_path, [Rung("rank")]) == ((), True)
    assert ladder_record.read(tmp_path / "new", [Rung("rank")]) == ((), False)
    assert ladder_record.trained_model(tmp_path, "org/large") == "org/large"


def test_the_model_that_was_used_is_told(tmp_path: Path) -> None:
    taken = step(QLORA, Rung("fallback_model", "org/small@v3"))
    assert isinstance(taken, Taken)
    ladder_record.write(tmp_path, QLORA, (taken,), clear=True)
    assert ladder_record.trained_model(tmp_path, "org/large") == "org/small@v3"
