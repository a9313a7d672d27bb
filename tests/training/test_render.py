"""The configuration that Axolotl gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lorewright.recipe import load
from lorewright.training.render import ON_CPU, axolotl_config, to_yaml

CONFIGS = Path(__file__).parents[2] / "configs"


def render(name: str, accelerator: str, **more: str | None) -> tuple[dict[str, object], list[str]]:
    arguments: dict[str, str | None] = {"training": "../p/training.jsonl", "validation": "../p/validation.jsonl"} | more
    return axolotl_config(load(CONFIGS / name), accelerator=accelerator, **arguments)  # type: ignore[arg-type]


@pytest.mark.req("F1", "F2")
@pytest.mark.parametrize("name", ["qlora_style_transfer.yaml", "lora_style_transfer.yaml"])
def test_on_a_gpu_the_recipes_keys_reach_axolotl_unchanged(name: str) -> None:
    config, changes = render(name, "cuda")
    recipe = load(CONFIGS / name)
    assert changes == []
    assert recipe.axolotl and {key: config[key] for key in recipe.axolotl} == recipe.axolotl
    assert config["base_model"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert config["chat_template"] == "tokenizer_default"
    assert config["datasets"] == [{"path": "../p/training.jsonl", "ds_type": "json", "type": "chat_template", "field_messages": "messages"}]
    assert config["output_dir"] == "adapter"
    assert config["auto_resume_from_checkpoints"] is True


def test_on_a_cpu_what_cannot_work_is_changed_and_said() -> None:
    config, changes = render("qlora_style_transfer.yaml", "cpu")
    assert {key: config[key] for key in ON_CPU} == ON_CPU
    assert "plugins" not in config
    assert config["optimizer"] == "adamw_torch"
    assert any(change.startswith("plugins left out") for change in changes)
    assert any("bf16 became False" in change for change in changes)
    eager, changes = render("gpt-oss-nf4.yaml", "cpu")
    assert eager["attn_implementation"] == "eager" and not any("attn_implementation" in change for change in changes), "sdpa knows no sinks"


def test_without_validation_evaluation_is_left_out() -> None:
    config, changes = render("starter.yaml", "cpu", validation=None)
    assert "test_datasets" not in config
    assert "evals_per_epoch" not in config
    assert changes == ["evals_per_epoch left out: nothing was held out for validation"]


def test_revision_and_template() -> None:
    recipe = load(CONFIGS / "starter.yaml", ("base_model=org/model@v1.2",))
    config, _ = axolotl_config(recipe, training="t", validation=None, accelerator="cpu", template="{{ x }}")
    assert (config["base_model"], config["revision_of_model"]) == ("org/model", "v1.2")
    assert (config["chat_template"], config["chat_template_jinja"]) == ("jinja", "{{ x }}")


@pytest.mark.req("R1")
def test_plain_text_names_no_template() -> None:
    """Axolotl refuses `tokenizer_default` for a base model that has no template, though nothing is rendered with it."""
    config, _ = render("report_chapters.yaml", "cuda")
    assert "chat_template" not in config
    assert render("report_chapters.yaml", "cuda", template="{{ x }}")[0]["chat_template"] == "jinja"


def test_file_is_yaml_with_a_comment() -> None:
    text = to_yaml({"b": 1, "a": "ü"}, "what\nhow")
    assert text.startswith("# what\n# how\n")
    assert yaml.safe_load(text) == {"a": "ü", "b": 1}
