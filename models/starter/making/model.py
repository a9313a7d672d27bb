"""The model: a small Llama, and its loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from making.tokenizer import BOS_ID, IM_END_ID, PAD_ID


@dataclass(frozen=True)
class Shape:
    """Sizes. All that K-quants cut into rows are multiples of 256."""

    hidden: int = 512
    intermediate: int = 768
    layers: int = 7
    heads: int = 8
    kv_heads: int = 2
    vocabulary: int = 8192
    context: int = 4096


TINY = Shape(hidden=64, intermediate=128, layers=2, heads=4, kv_heads=2, vocabulary=512, context=4096)


def make(shape: Shape, seed: int) -> Any:
    """A LlamaForCausalLM in float32 with seeded weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context, tie_word_embeddings=True,
        bos_token_id=BOS_ID, eos_token_id=IM_END_ID, pad_token_id=PAD_ID, initializer_range=0.02, rms_norm_eps=1e-5,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # the two matrices of a layer that add to the residual stream, smaller by depth (GPT-2, section 2.3)
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.mul_((2 * shape.layers) ** -0.5)
    return model


def loss_function(model: Any) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """(ids, targets) → per-token loss in nats.

    ids, targets: (rows, length) int64; targets are already shifted by one, -100 where nothing is learnt.
    The result has their shape, 0 there.
    """

    def losses(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = functional.linear(hidden, model.lm_head.weight)
        flat = functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=-100, reduction="none")
        return flat.view_as(targets)

    return losses
