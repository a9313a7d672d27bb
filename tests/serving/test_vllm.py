"""vLLM's configuration file, in the forms that its parser takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lorewright.recipe import load
from lorewright.serving import vllm

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.req("F6")
def test_on_a_gpu_the_recipes_arguments_are_kept() -> None:
    config = vllm.vllm_config(load(CONFIGS / "qlora_style_transfer.yaml"), "/merged", "cuda")
    assert config == {
        "max_model_len": 64000, "max_num_seqs": 9, "gpu_memory_utilization": 0.9, "model": "/merged",
        "served_model_name": "qlora_style_transfer", "host": "127.0.0.1", "port": 8000,
    }  # fmt: skip


def test_on_a_cpu_gpu_arguments_are_left_out() -> None:
    config = vllm.vllm_config(load(CONFIGS / "qlora_style_transfer.yaml"), "/merged", "cpu")
    assert "gpu_memory_utilization" not in config
    assert config["enforce_eager"] is True
    assert vllm.variables("cpu") == {"VLLM_CPU_KVCACHE_SPACE": "1"}
    assert vllm.variables("cuda") == {}


def test_the_users_cache_size_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "4")
    assert vllm.variables("cpu") == {"VLLM_CPU_KVCACHE_SPACE": "4"}


def test_keys_have_dashes_and_json_lists_are_text() -> None:
    values = {
        "enable_prefix_caching": False,
        "allowed_origins": ["*"],
        "lora_modules": [{"name": "a", "path": "/x"}],
        "max_model_len": 4096,
    }
    written = yaml.safe_load(vllm.to_yaml(values, "x"))
    assert written == {
        "enable-prefix-caching": False, "allowed-origins": '["*"]', "lora-modules": '[{"name": "a", "path": "/x"}]', "max-model-len": 4096,
    }  # fmt: skip


def test_untrained_hub_model_keeps_its_revision() -> None:
    recipe = load(CONFIGS / "starter.yaml", ("serve.port=8100",))
    config = vllm.vllm_config(recipe, "org/model@v2", "cuda")
    assert (config["model"], config["revision"], config["port"]) == ("org/model", "v2", 8100)
