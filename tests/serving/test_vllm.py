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
        "override_generation_config": {"temperature": 0.6, "top_p": 0.9},
    }  # fmt: skip


def test_on_a_cpu_gpu_arguments_are_left_out() -> None:
    config = vllm.vllm_config(load(CONFIGS / "qlora_style_transfer.yaml"), "/merged", "cpu")
    assert "gpu_memory_utilization" not in config
    assert config["enforce_eager"] is True
    assert vllm.variables("cpu", load(CONFIGS / "starter.yaml")) == {"VLLM_CPU_KVCACHE_SPACE": "1"}
    assert vllm.variables("cuda", load(CONFIGS / "starter.yaml")) == {}
    assert vllm.variables("cpu", load(CONFIGS / "starter.yaml", ("vllm.kv_cache_memory_bytes=1000000",))) == {}, (
        "the variable would override it"
    )


def test_the_users_cache_size_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "4")
    assert vllm.variables("cpu", load(CONFIGS / "starter.yaml")) == {"VLLM_CPU_KVCACHE_SPACE": "4"}


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


@pytest.mark.req("F6")
def test_speed_options_stand_as_vllms_own_keys() -> None:
    """FP8 weights and cache, prefix caching and guessing by n-grams need no keys of ours; a mapping is passed as one JSON word by vLLM."""
    options = (
        "vllm.quantization=fp8", "vllm.kv_cache_dtype=fp8", "vllm.enable_prefix_caching=false",
        "vllm.speculative_config={method: ngram, num_speculative_tokens: 4, prompt_lookup_max: 4}", "vllm.attention_backend=FLASHINFER",
    )  # fmt: skip
    config = vllm.vllm_config(load(CONFIGS / "starter.yaml", options), "/merged", "cuda")
    written = yaml.safe_load(vllm.to_yaml(config, "x"))
    assert (written["quantization"], written["kv-cache-dtype"], written["enable-prefix-caching"]) == ("fp8", "fp8", False)
    assert written["speculative-config"] == {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}
    assert written["attention-backend"] == "FLASHINFER"


def test_the_recipes_own_values_lie_over_the_preset() -> None:
    recipe = load(CONFIGS / "persona_completion.yaml", ("vllm.override_generation_config={temperature: 1.1}", "serve.thinking=false"))
    config = vllm.vllm_config(recipe, "/merged", "cuda")
    assert config["override_generation_config"] == {"temperature": 1.1, "top_p": 0.8, "top_k": 20, "min_p": 0.0}
    assert config["default_chat_template_kwargs"] == {"enable_thinking": False}
    assert "reasoning_parser" not in config
    texted = load(CONFIGS / "persona_completion.yaml", ("vllm.override_generation_config='{\"top_k\": 5}'",))
    assert vllm.vllm_config(texted, "/merged", "cuda")["override_generation_config"]["top_k"] == 5
