#!/usr/bin/env python3
"""Peak memory and time of the merge beside PEFT's merge_and_unload, on a processor, on random weights of a known shape.

    PYTHONPATH=src python benchmarks/merge_memory.py FOLDER [--shape 1b|8b] [--without-peft]

Run it with the core or dev environment. FOLDER gets the base model, an adapter of rank 64 on every linear layer and both merged models:
three times the model's size. Both begin from files and end with files that the disk has; peak memory is the process's largest resident
set, as the kernel counts it (pages of files that it has mapped are in it). Prints the table of benchmarks/results/merge_memory.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SHAPES = {  # of Llama-3.2-1B, of Llama-3.1-8B, and of its first 12 blocks; shard: bytes of a file, as the 8B is stored
    "1b": {"hidden": 2048, "inner": 8192, "layers": 16, "kv": 512, "vocabulary": 128256, "tied": 1, "shard": 700_000_000},
    "8b-12": {"hidden": 4096, "inner": 14336, "layers": 12, "kv": 1024, "vocabulary": 128256, "tied": 0, "shard": 5_000_000_000},
    "8b": {"hidden": 4096, "inner": 14336, "layers": 32, "kv": 1024, "vocabulary": 128256, "tied": 0, "shard": 5_000_000_000},
}
RANK = 64


@dataclass(frozen=True)
class Took:
    seconds: float
    peak: int  # bytes


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    words.add_argument("folder", type=Path)
    words.add_argument("--shape", choices=sorted(SHAPES), default="1b")
    words.add_argument("--without-peft", action="store_true")
    given = words.parse_args()
    from lorewright import envs

    python = Path(envs.ensure("train").python)
    base, adapter = given.folder / "base", given.folder / "adapter"
    if not (adapter / "adapter_config.json").exists():
        subprocess.run([str(python), __file__, "--make", given.shape, str(base), str(adapter)], check=True)
    shutil.rmtree(given.folder / "merged", ignore_errors=True)
    rows = [("lorewright (axolotl merge-lora)", ours(python, base, adapter, given.folder))]
    if not given.without_peft:
        shutil.rmtree(given.folder / "peft", ignore_errors=True)
        shard = str(SHAPES[given.shape]["shard"])
        command = [str(python), __file__, "--peft", str(base), str(adapter), str(given.folder / "peft"), shard]
        rows.append(("PEFT merge_and_unload", measured(command, given.folder)))
    print(table(given.shape, base, rows))
    if not given.without_peft:
        subprocess.run([str(python), __file__, "--compare", str(given.folder / "merged"), str(given.folder / "peft")], check=True)


def ours(python: Path, base: Path, adapter: Path, folder: Path) -> Took:
    """All that the merge stage does: the check before, Axolotl, what completes the folder, the check after."""
    import yaml

    from lorewright.models.adapter import read_adapter
    from lorewright.models.belongs import Together, check_together
    from lorewright.models.merge import check_whole, complete
    from lorewright.models.weights import weights_of
    from lorewright.training.plugins import VARIABLES, for_merge
    from lorewright.training.render import ON_CPU

    begun = time.monotonic()
    check_together(Together(base, str(base), read_adapter(adapter), base))
    config = ON_CPU | {
        "base_model": str(base), "adapter": "lora", "lora_r": RANK, "lora_alpha": RANK, "lora_target_linear": True,
        "micro_batch_size": 1, "gradient_accumulation_steps": 1, "learning_rate": 1e-4, "num_epochs": 1, "sequence_len": 512,
        "datasets": [{"path": "none.jsonl", "type": "completion"}], "output_dir": str(folder),
    }  # fmt: skip
    (folder / "axolotl.yaml").write_text(yaml.safe_dump(for_merge(config, folder)))
    options = ["--lora-model-dir", str(adapter), "--output-dir", str(folder)]
    took = measured([str(python.parent / "axolotl"), "merge-lora", str(folder / "axolotl.yaml"), *options], folder, VARIABLES)
    complete(folder / "merged", base)
    check_whole(folder / "merged", weights_of(base).shapes)
    sync(folder / "merged")
    return Took(time.monotonic() - begun, took.peak)


def measured(command: list[str], folder: Path, more: dict[str, str] | None = None) -> Took:
    """A program's time and its largest resident set, from the kernel's account of it."""
    variables = os.environ | {"HF_HUB_OFFLINE": "1", "AXOLOTL_DO_NOT_TRACK": "1", "CUDA_VISIBLE_DEVICES": ""} | (more or {})
    begun = time.monotonic()
    child = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder)
    said = child.stderr.read() if child.stderr else ""
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command} failed:\n{said[-3000:]}")
    return Took(time.monotonic() - begun, usage.ru_maxrss * 1024)


def table(shape: str, base: Path, rows: list[tuple[str, Took]]) -> str:
    shards = [file.stat().st_size for file in base.glob("*.safetensors")]
    largest = max(shards)
    stored = f"{sum(shards) / 1e9:.2f} GB of bf16 in {len(shards)} files, the largest {largest / 1e9:.2f} GB"
    lines = [f"{shape.upper()} shape: {stored}; rank {RANK}", ""]
    lines += ["| | seconds | peak memory | of the largest file |", "|---|---|---|---|"]
    lines += [f"| {name} | {took.seconds:.0f} | {took.peak / 1e9:.2f} GB | {took.peak / largest:.1f} x |" for name, took in rows]
    return "\n".join(lines)


def sync(folder: Path) -> None:
    for file in folder.iterdir():
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())


# What follows runs in the train environment.


def make(name: str, base: Path, adapter: Path) -> None:
    """Random weights. One drawn tile is repeated: a merge takes as long whatever the values are."""
    import torch
    from safetensors.torch import save_file

    shape = SHAPES[name]
    linears, tensors = sizes(shape)
    tile = torch.randn(1 << 22, generator=torch.Generator().manual_seed(1)) * 0.02

    def filled(size: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        count = torch.Size(size).numel()
        return tile.to(dtype).repeat(count // tile.numel() + 1)[:count].reshape(size)

    base.mkdir(parents=True, exist_ok=True)
    adapter.mkdir(parents=True, exist_ok=True)
    files = packed(tensors, shape["shard"])
    index = {}
    for number, names in enumerate(files, 1):
        file = f"model-{number:05}-of-{len(files):05}.safetensors"
        save_file({key: filled(tensors[key], torch.bfloat16) for key in names}, base / file, {"format": "pt"})
        index |= dict.fromkeys(names, file)
    (base / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    settings(shape, base)
    pairs = {}
    for place, (out, into) in linears.items():
        pairs[f"base_model.model.{place}.lora_A.weight"] = filled((RANK, into), torch.float32)
        pairs[f"base_model.model.{place}.lora_B.weight"] = filled((out, RANK), torch.float32)
    save_file(pairs, adapter / "adapter_model.safetensors", {"format": "pt"})
    modules = sorted({place.rpartition(".")[2] for place in linears})
    facts = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": RANK, "bias": "none", "target_modules": modules}
    (adapter / "adapter_config.json").write_text(json.dumps(facts | {"base_model_name_or_path": str(base)}))


def sizes(shape: dict[str, int]) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, ...]]]:
    """(the linear layers of all blocks, all tensors), by name."""
    hidden, inner, kv, words = shape["hidden"], shape["inner"], shape["kv"], shape["vocabulary"]
    block = {
        "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (kv, hidden), "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }  # fmt: skip
    linears: dict[str, tuple[int, int]] = {}
    tensors: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (words, hidden)}
    for layer in range(shape["layers"]):
        here = {f"model.layers.{layer}.{module}": size for module, size in block.items()}
        linears |= here
        tensors |= {f"{place}.weight": size for place, size in here.items()}
        tensors |= {f"model.layers.{layer}.{norm}.weight": (hidden,) for norm in ("input_layernorm", "post_attention_layernorm")}
    return linears, tensors | {"model.norm.weight": (hidden,)} | ({} if shape["tied"] else {"lm_head.weight": (words, hidden)})


def settings(shape: dict[str, int], folder: Path) -> None:
    """config.json, and a tokenizer of three words: the merge does not look at its words."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    LlamaConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], intermediate_size=shape["inner"], num_hidden_layers=shape["layers"],
        num_attention_heads=32, num_key_value_heads=8, tie_word_embeddings=bool(shape["tied"]), dtype="bfloat16",
        architectures=["LlamaForCausalLM"],
    ).save_pretrained(folder)  # fmt: skip
    inner = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="b", pad_token="b", bos_token="c", unk_token="a").save_pretrained(folder)


def packed(tensors: dict[str, tuple[int, ...]], most: int) -> list[list[str]]:
    """Names, as many to a file as it holds."""
    files: list[list[str]] = [[]]
    held = 0
    for name, size in tensors.items():
        count = 2 * size[0] * (size[1] if len(size) > 1 else 1)
        if files[-1] and held + count > most:
            files.append([])
            held = 0
        files[-1].append(name)
        held += count
    return files


def by_peft(base: Path, adapter: Path, target: Path, shard: int) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    merged.save_pretrained(target, max_shard_size=shard)
    sync(target)


def compare(ours: Path, theirs: Path) -> None:
    """How far the two merged models differ."""
    import torch
    from safetensors import safe_open

    where = json.loads((theirs / "model.safetensors.index.json").read_text())["weight_map"]
    largest, same, total = 0.0, 0, 0
    for file in sorted(ours.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                with safe_open(theirs / where[name], "pt") as other:
                    one, two = opened.get_tensor(name), other.get_tensor(name)
                largest = max(largest, (one.float() - two.float()).abs().max().item())
                same, total = same + int((one == two).sum()), total + torch.numel(one)
    print(f"\n{100 * same / total:.3f} % of the values are the same; the others differ by {largest:.2g} at the most")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    elif sys.argv[1:2] == ["--peft"]:
        by_peft(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
    elif sys.argv[1:2] == ["--compare"]:
        compare(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
