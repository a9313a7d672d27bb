"""What gpu_training.py measures: shapes of models, and recipes with what is changed in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def _llama(**more: Any) -> dict[str, Any]:
    """Keys of transformers' configuration: Llama-3.1-8B, and what differs from it."""
    return {
        "model_type": "llama",
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": False,
    } | more


def _qwen3(hidden: int, inner: int, layers: int, heads: int, *, tied: bool) -> dict[str, Any]:
    size = {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads}
    return _llama(model_type="qwen3", vocab_size=151936, max_position_embeddings=40960, tie_word_embeddings=tied, **size)


SHAPES: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.1-8B-Instruct": _llama(),
    "mistralai/Mistral-7B-Instruct-v0.3": _llama(
        model_type="mistral", vocab_size=32768, max_position_embeddings=32768, sliding_window=None
    ),
    "mistralai/Mistral-7B-Instruct-v0.2": _llama(
        model_type="mistral", vocab_size=32000, max_position_embeddings=32768, sliding_window=None
    ),
    "Qwen/Qwen3-0.6B": _qwen3(1024, 3072, 28, 16, tied=True),
    "Qwen/Qwen3-4B": _qwen3(2560, 9728, 36, 32, tied=True),
    "Qwen/Qwen3-14B": _qwen3(5120, 17408, 40, 40, tied=False),
    "Qwen/Qwen3-32B": _qwen3(5120, 25600, 64, 64, tied=False),
    "Qwen/Qwen3-30B-A3B": _qwen3(2048, 6144, 48, 32, tied=False)
    | {"model_type": "qwen3_moe", "num_key_value_heads": 4, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8},
    "openai/gpt-oss-20b": _llama(
        model_type="gpt_oss",
        vocab_size=201088,
        hidden_size=2880,
        intermediate_size=2880,
        num_hidden_layers=24,
        num_attention_heads=64,
        head_dim=64,
        num_local_experts=32,
        num_experts_per_tok=4,
        sliding_window=128,
    ),
}
TINY: dict[str, Any] = {
    "vocab_size": 2048,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
TINY_EXPERTS: dict[str, Any] = {"moe_intermediate_size": 32, "num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}


def small(shape: Mapping[str, Any]) -> dict[str, Any]:
    """A model of the same kind with a few thousand parameters."""
    return dict(shape) | TINY | {key: value for key, value in TINY_EXPERTS.items() if key in shape}


# What a plain recipe goes without: Liger, and the hidden states in the machine's memory. Axolotl's own fused LoRA functions stay on.
PLAIN: dict[str, Any] = dict.fromkeys(
    ("plugins", "liger_rope", "liger_rms_norm", "liger_glu_activation", "liger_fused_linear_cross_entropy", "activation_offloading")
)
# Without those too: PEFT alone.
BARE: dict[str, Any] = PLAIN | {f"lora_{part}_kernel": False for part in ("mlp", "qkv", "o", "embedding")}


@dataclass(frozen=True)
class Case:
    """One configuration. recipe: of configs/. change: Axolotl keys, None takes one away. model: another one than the recipe's.

    most_gib, least_rate: what it must reach. steps: after those of the warm-up. held_out: not used to set the forecast's constants.
    """

    recipe: str
    change: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    most_gib: float | None = None
    least_rate: float | None = None
    steps: int = 50
    held_out: bool = False


def _short(recipe: str, *, held_out: bool = False, model: str | None = None, **change: Any) -> Case:
    """For the forecast alone: one micro-batch a step and fewer steps, so that many configurations fit into one visit to a card."""
    return Case(
        recipe,
        {"gradient_accumulation_steps": 1, "activation_offloading": None, "eval_batch_size": 1} | change,
        model,
        steps=20,
        held_out=held_out,
    )


CASES: dict[str, Case] = {
    "qlora": Case("qlora_style_transfer", most_gib=10.0, least_rate=10_000),
    "qlora_plain": Case("qlora_style_transfer", PLAIN, steps=8),
    "lora": Case("lora_style_transfer", most_gib=22.0, least_rate=10_500),
    "lora_plain": Case("lora_style_transfer", PLAIN, steps=8),
    "lora_bare": Case("lora_style_transfer", BARE, steps=8),
    "longform": Case("scientific_longform", most_gib=7.0),
    "persona_14b": Case("persona_qa", {"gradient_accumulation_steps": 1}, most_gib=12.5),
    "persona_32b": Case("persona_qa_32b", {"gradient_accumulation_steps": 1}, most_gib=22.0),
    "persona_completion": Case("persona_completion", {"gradient_accumulation_steps": 1}),
    "report_chapters": Case("report_chapters"),
    "persona_30b_a3b": Case("persona_qa_30b_a3b", {"gradient_accumulation_steps": 1}),
    # from 16 bits, quantised while loaded; gpu_nf4.py has the converted model
    "gpt_oss": Case("gpt-oss-nf4", {"gradient_accumulation_steps": 1, "quantize_moe_experts": True}),
    "persona_gpt_oss": Case("persona_qa_gpt_oss", {"gradient_accumulation_steps": 1, "quantize_moe_experts": True}),
    "8b_r16_1x1024": _short("qlora_style_transfer", lora_r=16, micro_batch_size=1, sequence_len=1024),
    "8b_r128_2x2048": _short("qlora_style_transfer", lora_r=128, micro_batch_size=2, held_out=True),
    "8b_1x8192": _short("qlora_style_transfer", micro_batch_size=1, sequence_len=8192, held_out=True),
    "8b_lora_2x4096": _short("lora_style_transfer", micro_batch_size=2, sequence_len=4096, held_out=True),
    "8b_8bit_4x1024": _short("lora_style_transfer", load_in_8bit=True, sequence_len=1024),
    "4b_r32_8x2048": _short("qlora_style_transfer", model="Qwen/Qwen3-4B", lora_r=32, micro_batch_size=8, held_out=True),
    "4b_lora_bare_4x1024": _short("lora_style_transfer", model="Qwen/Qwen3-4B", sequence_len=1024, **BARE),
    "4b_no_checkpointing": _short("qlora_style_transfer", model="Qwen/Qwen3-4B", micro_batch_size=2, gradient_checkpointing=False),
    "06b_lora_16x1024": _short("lora_style_transfer", model="Qwen/Qwen3-0.6B", micro_batch_size=16, sequence_len=1024, held_out=True),
    "06b_lora_bare_4x2048": _short("lora_style_transfer", model="Qwen/Qwen3-0.6B", held_out=True, **BARE),
}
