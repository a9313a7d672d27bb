"""Bytes that one layer keeps for its backward pass, counted by PyTorch itself: python saved_tensors.py ROWS, in the train environment.

Prints JSON: case -> bytes for that many tokens, the layer's input and the parameters apart. Small models with random weights, on the processor.
"""

import json
import sys
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GptOssConfig, LlamaConfig, Qwen3Config, Qwen3MoeConfig

SIZES = {"hidden_size": 256, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "num_hidden_layers": 1, "vocab_size": 500}
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
CASES = {
    "llama": (LlamaConfig(**SIZES, intermediate_size=1024), "sdpa", "all-linear", 0.0),
    "llama with dropout": (LlamaConfig(**SIZES, intermediate_size=1024), "sdpa", "all-linear", 0.05),
    "qwen3": (Qwen3Config(**SIZES, intermediate_size=1024), "sdpa", "all-linear", 0.0),
    "qwen3_moe": (Qwen3MoeConfig(**SIZES, moe_intermediate_size=128, num_experts=16, num_experts_per_tok=4), "sdpa", ATTENTION, 0.0),
    "gpt_oss": (
        GptOssConfig(**SIZES, intermediate_size=192, num_local_experts=8, num_experts_per_tok=2, layer_types=["full_attention"]),
        "eager", ATTENTION, 0.0,
    ),
}  # fmt: skip


def kept(config, attention: str, targets, dropout: float, rows: int) -> int:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation=attention)
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, lora_dropout=dropout, target_modules=targets))
    model.train()
    inner = model.base_model.model.model
    given = torch.randn(1, rows, config.hidden_size, dtype=torch.bfloat16, requires_grad=True)
    rotation = inner.rotary_emb(given, torch.arange(rows)[None])
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers(), *rotation, given)}
    found, alive = {}, []

    def count(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # so that no address is used twice
        return tensor

    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        alive.append(inner.layers[0](given, position_embeddings=rotation, attention_mask=None))
    return sum(found.values())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({name: kept(*case, int(sys.argv[1])) for name, case in CASES.items()}))
