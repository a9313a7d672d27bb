"""The configuration and the command that start vLLM's OpenAI server."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright.envs import PACKAGE
from lorewright.errors import LorewrightError
from lorewright.recipe import Recipe, split_revision
from lorewright.recipe.check import schema
from lorewright.serving import adapters
from lorewright.serving.presets import preset_of

# Compiling for a CPU takes longer than a tiny model's whole session; graphs are a GPU's gain.
ON_CPU: dict[str, Any] = {"enforce_eager": True}
GPU_ONLY = ("gpu_memory_utilization",)
CPU_KV_CACHE_GIB = "1"
EFFORT_LAYER = "reasoning_effort.DefaultEffort"  # workers/reasoning_effort.py


def vllm_config(recipe: Recipe, model: str, accelerator: str, own_adapter: str = "") -> dict[str, Any]:
    """vLLM's arguments for this recipe.

    model: the merged folder, or the base model's name when nothing was trained or adapters are held beside it.
    own_adapter: the folder of the adapter that the recipe trained, when it is held beside the base model.
    """
    given = dict(recipe.vllm or {})
    config = dict(given)
    if accelerator == "cpu":
        config = ON_CPU | {key: value for key, value in config.items() if key not in GPU_ONLY}
    config = _laid_over(_preset(recipe, given), config)
    name, revision = split_revision(model)
    ours = {"model": name, "served_model_name": recipe.name, "host": recipe.serve.host, "port": recipe.serve.port}
    ours |= {"revision": revision} if revision else {}
    ours |= {"chat_template": recipe.chat_template} if recipe.chat_template else {}
    if recipe.serve.on_base:
        ours |= adapters.arguments(adapters.voices(recipe, own_adapter), given)
        ours |= {"served_model_name": f"{recipe.name}-base"} if own_adapter else {}
    return config | ours


def left_open(recipe: Recipe) -> tuple[dict[str, Any], dict[str, Any]]:
    """What holds where a request says nothing: (sampling, variables of the chat template); the recipe's own values over the preset."""
    sampling, template = "override_generation_config", "default_chat_template_kwargs"
    found = _laid_over({sampling: {}, template: {}} | preset_of(recipe).arguments(), recipe.vllm or {})
    return dict(found[sampling]), dict(found[template])


def _preset(recipe: Recipe, given: Mapping[str, Any]) -> dict[str, Any]:
    preset = preset_of(recipe)
    layer = {"middleware": [*given.get("middleware", []), EFFORT_LAYER]} if preset.effort else {}
    return preset.arguments() | layer


def _laid_over(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's own values win, key by key, inside mappings too."""
    result = dict(preset) | dict(given)
    for key in preset:
        value = given.get(key)
        if isinstance(value, str) and isinstance(preset[key], dict):
            value = _mapping(key, value)
        if isinstance(value, dict):
            result[key] = preset[key] | value
        elif key == "middleware":
            result[key] = preset[key]
    return result


def _mapping(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise LorewrightError(f"vllm.{key} is no JSON", remedy="write it as a YAML mapping") from None


def to_yaml(config: Mapping[str, Any], header: str) -> str:
    """The file that `--config` takes.

    Keys are written with dashes: vLLM ignores `false` under an underscored name. A list that it reads as JSON is written as
    JSON text, since it would take a YAML list for several words.
    """
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    known = schema("vllm")["properties"]
    written = {}
    for key, value in config.items():
        as_json = isinstance(value, list) and (known.get(key, {}).get("x-json") or any(isinstance(item, dict) for item in value))
        written[key.replace("_", "-")] = json.dumps(value) if as_json else value
    return comment + yaml.safe_dump(written, sort_keys=True, allow_unicode=True)


def command(python: str, config: Path) -> list[str]:
    """The module form: the CPU build of vLLM installs no `vllm` metadata, and its command fails."""
    return [python, "-m", "vllm.entrypoints.openai.api_server", "--config", str(config)]


def variables(accelerator: str, recipe: Recipe) -> dict[str, str]:
    """Environment variables vLLM needs for this recipe on this machine; the user's own come first."""
    found = adapters.runtime_variables(recipe)
    if accelerator == "cpu" and "kv_cache_memory_bytes" not in (recipe.vllm or {}):  # the variable would override it
        found["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", CPU_KV_CACHE_GIB)
    effort = preset_of(recipe).effort
    if effort:
        found |= {"LOREWRIGHT_REASONING_EFFORT": effort, "PYTHONPATH": str(PACKAGE / "workers")}
    return found


def shell_line(words: list[str], variables: Mapping[str, str]) -> str:
    """The command as a person would type it."""
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), shlex.join(words)])
