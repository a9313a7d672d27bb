"""Writes the configuration that Axolotl runs: the recipe's keys, the keys that are ours, and what the machine asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright.data.formats import axolotl_dataset, needs_template, template_settings
from lorewright.recipe import Data, Recipe, split_revision

# A CPU has no bf16 mode of Axolotl's, and its Triton kernels need CUDA: without these a CPU run fails at the first step.
ON_CPU: dict[str, Any] = {
    "bf16": False,
    "fp16": False,
    "tf32": False,
    "device_map": "cpu",
    "attn_implementation": "sdpa",
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
    "lora_embedding_kernel": False,
}
# What shares a model out to several cards; only a training has them.
SHARED_OUT = ("deepspeed", "fsdp", "fsdp_config", "fsdp_version")
NOT_ON_CPU = ("flash_attention", "sample_packing", "eval_sample_packing", "activation_offloading", "plugins", *SHARED_OUT)
GPU_OPTIMIZERS = ("paged_adamw_8bit", "adamw_8bit", "adamw_bnb_8bit", "adamw_torch_fused")
EVAL_KEYS = ("evals_per_epoch", "eval_steps", "eval_strategy", "eval_sample_packing", "early_stopping_patience", "load_best_model_at_end")


def axolotl_config(
    recipe: Recipe, *, training: str, validation: str | None, accelerator: str, template: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The configuration and what was changed for this machine, in words.

    training, validation: JSONL files, relative to the stage's folder, so that `axolotl train axolotl.yaml` works there by
    hand before and after the folder is renamed. validation is None when nothing was held out. template: the recipe's own
    chat template, as text.
    """
    config = dict(recipe.axolotl or {})
    if recipe.convert:  # its experts come quantised
        config.pop("quantize_moe_experts", None)
    changes = for_cpu(config) if accelerator == "cpu" else []
    if validation is None:
        changes += [f"{key} left out: nothing was held out for validation" for key in EVAL_KEYS if config.pop(key, None) is not None]
    assert recipe.data
    settings = {**template_settings(recipe.data), **(config.get("chat_template_kwargs") or {})}
    config |= {"chat_template_kwargs": settings} if settings else {}
    return config | _model(recipe, template) | _datasets(recipe.data, training, validation) | _outputs(), changes


def from_nf4(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same training from its base model as it was converted."""
    return {key: value for key, value in config.items() if key != "revision_of_model"} | {"base_model": str(folder)}


def for_cpu(config: dict[str, Any]) -> list[str]:
    """Changes a configuration to one that a processor can run; says how, in words."""
    changes = [f"{key} left out: it needs a GPU" for key in NOT_ON_CPU if config.pop(key, None)]
    if config.get("optimizer") in GPU_OPTIMIZERS:
        changes.append(f"optimizer {config['optimizer']} became adamw_torch: it needs a GPU")
        config["optimizer"] = "adamw_torch"
    wanted = ON_CPU | ({"attn_implementation": "eager"} if config.get("attn_implementation") == "eager" else {})
    changes += [f"{key} became {value}" for key, value in wanted.items() if key in config and config[key] != value]
    config.update(wanted)
    return changes


def _model(recipe: Recipe, template: str | None) -> dict[str, Any]:
    name, revision = split_revision(recipe.base_model)
    model: dict[str, Any] = {"base_model": name} | ({"revision_of_model": revision} if revision else {})
    if template:
        return model | {"chat_template": "jinja", "chat_template_jinja": template}
    if recipe.data and not needs_template(recipe.data):
        return model  # Axolotl would refuse a model that has none, though no example is rendered with it
    return model | {"chat_template": "tokenizer_default"}


def _datasets(data: Data, training: str, validation: str | None) -> dict[str, Any]:
    def dataset(path: str) -> list[dict[str, Any]]:
        return [{"path": path, **axolotl_dataset(data)}]

    held_out = {"test_datasets": [*({**item, "split": "train"} for item in dataset(validation))]} if validation else {}
    return {"datasets": dataset(training)} | held_out


def _outputs() -> dict[str, Any]:
    return {"output_dir": "adapter", "dataset_prepared_path": "prepared", "auto_resume_from_checkpoints": True}


def to_yaml(config: Mapping[str, Any], header: str) -> str:
    """The file's text. header: a comment that says what it is and how to use it by hand."""
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.safe_dump(dict(config), sort_keys=True, allow_unicode=True, width=120)
