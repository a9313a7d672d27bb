"""Files of weights whose header is real and whose data are nothing but a hole in the file: 16 GB take no room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}


def write_weights(file: Path, shapes: Shapes) -> None:
    """bf16 tensors of these shapes, as safetensors."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    with open(file, "r+b") as opened:
        opened.truncate(8 + len(text) + end)


def write_model(folder: Path, *shards: Shapes, template: str | None = "{{ messages }}") -> Path:
    """A base model's folder: one file of weights, or an index with several."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE"}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template} if template else {}))
    if len(shards) < 2:
        write_weights(folder / "model.safetensors", shards[0] if shards else {"w": (2, 2)})
        return folder
    index = {}
    for number, shapes in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_weights(folder / name, shapes)
        index |= dict.fromkeys(shapes, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return folder


def eight_billion() -> Shapes:
    """Llama-3.1-8B's matrices."""
    layer = {
        "self_attn.q_proj": (4096, 4096), "self_attn.k_proj": (1024, 4096), "self_attn.v_proj": (1024, 4096), "self_attn.o_proj": (4096, 4096),
        "mlp.gate_proj": (14336, 4096), "mlp.up_proj": (14336, 4096), "mlp.down_proj": (4096, 14336),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (128256, 4096), "lm_head.weight": (128256, 4096)}
    for number in range(32):
        shapes |= {f"model.layers.{number}.{name}.weight": shape for name, shape in layer.items()}
        shapes |= {f"model.layers.{number}.{name}.weight": (4096,) for name in ("input_layernorm", "post_attention_layernorm")}
    return shapes | {"model.norm.weight": (4096,)}
