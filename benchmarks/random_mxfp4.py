#!/usr/bin/env python3
"""Makes a gpt-oss with random weights and MXFP4 experts, as it comes from the hub, and examples for it. Runs in the train environment.

    python benchmarks/random_mxfp4.py FOLDER '{"model_type": "gpt_oss", …}' LENGTH SAMPLES

As random_model.py, but for the experts, which are drawn as codes and scales and are never in 16 bits: a layer at a time is in memory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from random_model import make_examples, make_tokenizer

BLOCK = 32  # values that share a scale
SCALES = (117, 121)  # powers of two, of 127 on: such weights are some 0.02 large


def make_model(folder: Path, shape: dict[str, Any]) -> None:
    """shape: keys of transformers' configuration of gpt_oss."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(**shape, bos_token_id=2, eos_token_id=1, pad_token_id=1, dtype="bfloat16")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shards: dict[str, dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        layer = name.split(".")[2] if ".layers." in name else "rest"
        shards.setdefault(layer, {}).update(_drawn(name, tuple(parameter.shape), device))
        if layer != "rest" and name == _last(model, layer):
            _write(folder, layer, shards.pop(layer), save_file)
    _write(folder, "rest", shards.pop("rest"), save_file)
    weights = {name: f"model-{layer}.safetensors" for layer, names in _written.items() for name in names}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}), encoding="utf-8")
    mxfp4 = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "lm_head"]}
    own = json.loads(config.to_json_string(use_diff=False)) | {"architectures": ["GptOssForCausalLM"], "quantization_config": mxfp4}
    (folder / "config.json").write_text(json.dumps(own), encoding="utf-8")


_written: dict[str, list[str]] = {}


def _last(model: Any, layer: str) -> str:
    return [name for name, _ in model.named_parameters() if name.startswith(f"model.layers.{layer}.")][-1]


def _write(folder: Path, layer: str, tensors: dict[str, Any], save_file: Any) -> None:
    save_file({name: tensor.cpu() for name, tensor in tensors.items()}, folder / f"model-{layer}.safetensors", metadata={"format": "pt"})
    _written[layer] = list(tensors)


def _drawn(name: str, shape: tuple[int, ...], device: str) -> dict[str, Any]:
    """The tensors that are stored for a parameter of the model."""
    import torch

    if len(shape) == 3:  # experts, [experts, in, out]; stored are [experts, out, in]
        experts, columns, rows = shape
        groups = (experts, rows, columns // BLOCK)
        return {
            f"{name}_blocks": torch.randint(0, 256, (*groups, BLOCK // 2), dtype=torch.uint8, device=device),
            f"{name}_scales": torch.randint(*SCALES, groups, dtype=torch.uint8, device=device),
        }
    if "norm" in name:
        return {name: torch.ones(shape, dtype=torch.bfloat16)}
    return {name: (torch.randn(shape, device=device) * 0.02).to(torch.bfloat16)}


def main() -> None:
    folder, shape, length, samples = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if not (folder / "model" / "config.json").exists():
        make_tokenizer(folder / "model", shape["vocab_size"])
        make_model(folder / "model", shape)
    make_examples(folder / f"examples-{length}.jsonl", shape["vocab_size"], length, samples)


if __name__ == "__main__":
    main()
