"""What a layer keeps for its backward pass, counted by the forecast and by PyTorch's own hooks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs
from lorewright.process import SILENT, tool_environment
from lorewright.training.forecast.layer import layer_of
from lorewright.training.forecast.settings import settings_of
from lorewright.training.forecast.shape import shape_of

SIZES = {"hidden_size": 256, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "num_hidden_layers": 1, "vocab_size": 500}
LORA: dict[str, Any] = {"adapter": "lora", "lora_r": 16, "bf16": True, "lora_mlp_kernel": False, "attn_implementation": "sdpa"}
ALL, ATTENTION = {"lora_target_linear": True}, {"lora_target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]}
MOE = {"moe_intermediate_size": 128, "num_experts": 16, "num_experts_per_tok": 4}
OSS = {"intermediate_size": 192, "num_local_experts": 8, "num_experts_per_tok": 2}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llama": ({"model_type": "llama", "intermediate_size": 1024}, ALL),
    "llama with dropout": ({"model_type": "llama", "intermediate_size": 1024}, ALL | {"lora_dropout": 0.05}),
    "qwen3": ({"model_type": "qwen3", "intermediate_size": 1024}, ALL),
    "qwen3_moe": ({"model_type": "qwen3_moe"} | MOE, ATTENTION),
    "gpt_oss": ({"model_type": "gpt_oss"} | OSS, ATTENTION | {"attn_implementation": "eager"}),
}


def counted(name: str, rows: int) -> float:
    config, keys = CASES[name]
    shape = shape_of(SIZES | config, name)
    settings = settings_of(LORA | keys, shape)
    layer = layer_of(shape, settings, rows, padded=False).kept - 2 * shape.hidden * settings.width  # output and its gradient
    masks = 3 * (6 * 256 + 1024) if settings.dropout else 0  # a processor's masks are float32, a card's are bytes
    return rows * (layer + masks)


@pytest.mark.real
def test_pytorch_keeps_what_was_counted() -> None:
    """The difference between 192 and 96 tokens: what does not grow with them (the adapters in bfloat16) falls out."""
    script = str(Path(__file__).with_name("saved_tensors.py"))
    env = envs.ensure("train")
    runs = [
        subprocess.run([env.python, script, str(rows)], env=tool_environment(env) | SILENT, capture_output=True, text=True)
        for rows in (192, 96)
    ]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr[-2000:]
    many, few = (json.loads(run.stdout.splitlines()[-1]) for run in runs)
    assert set(many) == set(CASES)
    for name in CASES:
        assert counted(name, 192) - counted(name, 96) == pytest.approx(many[name] - few[name], rel=0.03), name  # routers keep a little more
