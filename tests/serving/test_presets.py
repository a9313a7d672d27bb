"""Families are recognised by name and type, and their makers' values reach vLLM."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import LorewrightError
from lorewright.recipe import load
from lorewright.recipe.check import schema
from lorewright.serving.presets import families, family_of, preset_of

CONFIGS = Path(__file__).parents[2] / "configs"
# vLLM 0.32 takes these from a generation configuration (config/model.py, get_diff_sampling_param)
SAMPLING = {"repetition_penalty", "presence_penalty", "frequency_penalty", "temperature", "top_k", "top_p", "min_p"}


def preset(model: str, **serve: Any) -> Any:
    overrides = [f"base_model={model}", *(f"serve.{key}={json.dumps(value)}" for key, value in serve.items())]
    return preset_of(load(CONFIGS / "persona_completion.yaml", tuple(overrides)))


@pytest.mark.req("F6")
@pytest.mark.parametrize(("model", "family"), [
    ("Qwen/Qwen3-14B", "qwen3"), ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-instruct-2507"), ("Qwen/Qwen3-4B-Thinking-2507", "qwen3-thinking-2507"),
    ("Qwen/Qwen3-8B-Base", "qwen3-base"), ("Qwen/Qwen3.5-9B", ""), ("Qwen/Qwen3-Coder-30B-A3B-Instruct", ""), ("Qwen/Qwen3-Embedding-8B", ""),
    ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-instruct"), ("Qwen/Qwen2.5-7B", ""), ("openai/gpt-oss-20b", "gpt-oss"),
    ("meta-llama/Llama-3.1-8B-Instruct", "llama3-instruct"), ("meta-llama/Meta-Llama-3-8B-Instruct", "llama3-instruct"), ("meta-llama/Llama-3.1-8B", ""),
    ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-instruct"), ("mistralai/Mistral-Nemo-Instruct-2407", "mistral-nemo"),
    ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral-small-3"), ("google/gemma-3-12b-it", "gemma3"), ("google/gemma-3-12b-pt", ""),
    ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "deepseek-r1-distill"), ("org/name@qwen3-8b", ""),
])  # fmt: skip
def test_names_tell_the_family(model: str, family: str) -> None:
    assert family_of(model) == family


def test_a_folder_tells_by_its_type(tmp_path: Path) -> None:
    folder = tmp_path / "my-novelist"
    folder.mkdir()
    assert family_of(str(folder)) == ""
    for kind, family in (("qwen3_moe", "qwen3"), ("gpt_oss", "gpt-oss"), ("llama", "")):
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
        assert family_of(str(folder)) == family


def test_the_facts_are_whole() -> None:
    for name, facts in families().items():
        assert set(facts) <= {"names", "types", "sampling", "thinking", "said_in"} and facts["said_in"], name
        re.compile(facts["names"])
        for values in (facts["sampling"], facts.get("thinking", {}).get("sampling", {})):
            assert set(values) <= SAMPLING, name
    keys = schema("vllm")["properties"]
    assert {"override_generation_config", "default_chat_template_kwargs", "reasoning_parser", "middleware"} <= set(keys)


@pytest.mark.req("F6")
def test_thinking_has_its_own_values() -> None:
    left, on, off = preset("Qwen/Qwen3-8B"), preset("Qwen/Qwen3-8B", thinking=True), preset("Qwen/Qwen3-8B", thinking=False)
    assert (on.sampling["temperature"], on.sampling["top_p"], on.template, on.parser) == (0.6, 0.95, {"enable_thinking": True}, "qwen3")
    assert (off.sampling["temperature"], off.sampling["top_p"], off.template, off.parser) == (0.7, 0.8, {"enable_thinking": False}, "")
    assert (left.sampling, left.template, left.parser) == (on.sampling, {}, ""), "the template decides, and it thinks"
    assert preset("Qwen/Qwen3-8B", preset="none", thinking=False).arguments() == {
        "default_chat_template_kwargs": {"enable_thinking": False}
    }
    assert preset("org/unknown").arguments() == {}
    assert preset("org/unknown", preset="gemma3").sampling["top_k"] == 64
    assert preset("openai/gpt-oss-20b", thinking="high").effort == "high"


@pytest.mark.parametrize(("model", "serve", "said"), [
    ("Qwen/Qwen3-8B", {"thinking": "low"}, "serve.thinking: low is nothing that qwen3 takes; choose on, off"),
    ("openai/gpt-oss-20b", {"thinking": True}, "serve.thinking: on is nothing that gpt-oss takes; choose low, medium, high"),
    ("org/unknown", {"thinking": False}, "off is nothing that this model takes; leave it out, or name the family with serve.preset"),
    ("org/unknown", {"preset": "qwen"}, "there is no 'qwen'; auto, none or one of qwen3-instruct-2507"),
])  # fmt: skip
def test_what_a_family_cannot_do_is_said(model: str, serve: dict[str, Any], said: str) -> None:
    with pytest.raises(LorewrightError, match=re.escape(said)):
        preset(model, **serve)
