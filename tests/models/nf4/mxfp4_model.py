"""A checkpoint with the shape of gpt-oss, but tiny: MXFP4 experts, everything else in bf16; and a plain one in 16 bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

Tensors = dict[str, tuple[str, np.ndarray]]
HIDDEN, INNER, EXPERTS, LAYERS = 64, 128, 3, 2
ATTENTION = 64  # heads by their size


def bf16(values: np.ndarray) -> tuple[str, np.ndarray]:
    """Numbers cut to bf16, as its bits."""
    return "BF16", (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def write_tensors(file: Path, tensors: Tensors) -> None:
    header, end = {}, 0
    for name, (dtype, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(data.shape), "data_offsets": [end, end + data.nbytes]}
        end += data.nbytes
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data.tobytes() for _, data in tensors.values()))


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """All tensors of a folder's shards as the safetensors library reads them; bf16 as its bits."""
    from safetensors import deserialize

    kinds = {"BF16": np.uint16, "F32": np.float32, "U8": np.uint8, "F16": np.float16}
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, entry in deserialize(file.read_bytes()):
            found[name] = np.frombuffer(bytes(entry["data"]), kinds[entry["dtype"]]).reshape(entry["shape"])
    return found


def experts(
    random: np.random.Generator, count: int, rows: int, groups: int, lowest: int = 112, highest: int = 124
) -> tuple[np.ndarray, np.ndarray]:
    """Random blocks and scales, a group of zeros and one of nothing but halves among them."""
    blocks = random.integers(0, 256, (count, rows, groups, 16), dtype=np.uint8)
    blocks[0, :, 0] &= 0x88
    blocks[-1, :, -1] &= 0x99
    return blocks, random.integers(lowest, highest + 1, (count, rows, groups), dtype=np.uint8)


def layer(
    random: np.random.Generator, number: int, spread: float = 1.0, hidden: int = HIDDEN, inner: int = INNER, count: int = EXPERTS
) -> Tensors:
    at = f"model.layers.{number}"

    def drawn(*size: int) -> tuple[str, np.ndarray]:
        return bf16(random.normal(size=size) * spread)

    tensors: Tensors = {}
    for name, rows, width in (("gate_up_proj", 2 * inner, hidden), ("down_proj", hidden, inner)):
        blocks, scales = experts(random, count, rows, width // 32)
        tensors |= {f"{at}.mlp.experts.{name}_blocks": ("U8", blocks), f"{at}.mlp.experts.{name}_scales": ("U8", scales)}
        tensors[f"{at}.mlp.experts.{name}_bias"] = drawn(count, rows)
    tensors[f"{at}.mlp.router.weight"] = drawn(count, hidden)
    tensors[f"{at}.mlp.router.bias"] = drawn(count)
    for name, out, width in (("q", ATTENTION, hidden), ("k", ATTENTION, hidden), ("v", ATTENTION, hidden), ("o", hidden, ATTENTION)):
        tensors[f"{at}.self_attn.{name}_proj.weight"] = drawn(out, width)
        tensors[f"{at}.self_attn.{name}_proj.bias"] = drawn(out)
    tensors[f"{at}.self_attn.sinks"] = drawn(4)
    return tensors | {f"{at}.{name}.weight": bf16(np.ones(hidden)) for name in ("input_layernorm", "post_attention_layernorm")}


CONFIG = {
    "model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "num_hidden_layers": LAYERS, "hidden_size": HIDDEN,
    "intermediate_size": INNER, "num_local_experts": EXPERTS, "num_experts_per_tok": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "head_dim": 16, "vocab_size": 96, "sliding_window": 32, "layer_types": ["sliding_attention", "full_attention"],
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
}  # fmt: skip


def write_gpt_oss(folder: Path, seed: int = 0, tokenizer: Path | None = None) -> Path:
    """Two shards with an index; the second layer's scales lie in another shard than its blocks.

    tokenizer: a model's folder whose tokenizer and vocabulary it gets; then it is one that can be trained.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    spread, words = (0.05, json.loads((tokenizer / "config.json").read_text())["vocab_size"]) if tokenizer else (1.0, 96)
    embedding, head = (bf16(random.normal(size=(words, HIDDEN)) * spread) for _ in range(2))
    first = {"model.embed_tokens.weight": embedding} | layer(random, 0, spread)
    second = layer(random, 1, spread) | {"lm_head.weight": head, "model.norm.weight": bf16(np.ones(HIDDEN))}
    astray = "model.layers.1.mlp.experts.down_proj_scales"
    first[astray] = second.pop(astray)
    weights = {}
    for number, tensors in enumerate((first, second), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        write_tensors(folder / name, tensors)
        weights |= dict.fromkeys(tensors, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": words}))
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja") if tokenizer else ():
        shutil.copyfile(tokenizer / name, folder / name)  # type: ignore[operator]
    return folder
