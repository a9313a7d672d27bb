"""The configuration and the command that start vLLM's OpenAI server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright.recipe import Recipe, split_revision
from lorewright.recipe.check import schema

# Compiling for a CPU takes longer than a tiny model's whole session; graphs are a GPU's gain.
ON_CPU: dict[str, Any] = {"enforce_eager": True}
GPU_ONLY = ("gpu_memory_utilization",)
CPU_KV_CACHE_GIB = "1"


def vllm_config(recipe: Recipe, model: str, accelerator: str) -> dict[str, Any]:
    """vLLM's arguments for this recipe.

    model: the merged folder, or the base model's name when nothing was trained.
    """
    config = dict(recipe.vllm or {})
    if accelerator == "cpu":
        config = ON_CPU | {key: value for key, value in config.items() if key not in GPU_ONLY}
    name, revision = split_revision(model)
    ours = {"model": name, "served_model_name": recipe.name, "host": recipe.serve.host, "port": recipe.serve.port}
    ours |= {"revision": revision} if revision else {}
    ours |= {"chat_template": recipe.chat_template} if recipe.chat_template else {}
    return config | ours


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


def variables(accelerator: str) -> dict[str, str]:
    """Environment variables vLLM needs on this machine; the user's own come first."""
    return {"VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", CPU_KV_CACHE_GIB)} if accelerator == "cpu" else {}
