"""A small model with an adapter, merged rightly, and merged models that are broken on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

ALPHA, RANK = 16, 4
SWAPPED = "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}[assistant] "
Broken = Callable[[Path, dict[str, Any], Path], None]


def make_base(folder: Path, tiny: Path) -> Path:
    """The tiny model with louder weights: as it is drawn its layers hardly change what goes through them, and nothing is likely."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny, folder)
    louder = {"_proj.weight": 5, "embed_tokens.weight": 8}
    weights = load_file(tiny / "model.safetensors")
    for name in weights:
        weights[name] = weights[name] * next((times for end, times in louder.items() if name.endswith(end)), 1)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def make_adapter(folder: Path, base: Path) -> Path:
    """A LoRA of rank 4 on every linear layer, that changes what the model says; the base's tokenizer beside it."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(7)
    folder.mkdir(parents=True)
    tensors = {}
    for name, weight in load_file(base / "model.safetensors").items():
        if name.endswith("_proj.weight"):
            rows, columns = weight.shape
            place = f"base_model.model.{name.removesuffix('.weight')}"
            tensors[f"{place}.lora_A.weight"] = torch.randn(RANK, columns) / columns**0.5
            tensors[f"{place}.lora_B.weight"] = 0.012 * torch.randn(rows, RANK)
    save_file(tensors, folder / "adapter_model.safetensors")
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    facts = {"r": RANK, "lora_alpha": ALPHA, "peft_type": "LORA", "target_modules": linear, "task_type": "CAUSAL_LM", "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(facts | {"base_model_name_or_path": str(base)}))
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(base / file, folder / file)
    return folder


def merge(folder: Path, base: Path, adapter: Path, scale: float = ALPHA / RANK) -> dict[str, Any]:
    """Puts the adapter into the base model and leaves the whole in two shards; returns the weights."""
    from safetensors.torch import load_file

    weights, parts = load_file(base / "model.safetensors"), load_file(adapter / "adapter_model.safetensors")
    for name in weights:
        place = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{place}.lora_A.weight" in parts:
            delta = parts[f"{place}.lora_B.weight"] @ parts[f"{place}.lora_A.weight"]
            weights[name] = (weights[name].float() + scale * delta).to(weights[name].dtype)
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    save(folder, weights)
    return weights


def save(folder: Path, weights: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    placed = {name: f"model-0000{1 + ('layers.1.' in name)}-of-00002.safetensors" for name in weights}
    for shard in set(placed.values()):
        save_file({name: weights[name].contiguous() for name in weights if placed[name] == shard}, folder / shard, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


def swapped_template(folder: Path, weights: dict[str, Any], base: Path) -> None:
    (folder / "chat_template.jinja").write_text(SWAPPED)


def lost_template(folder: Path, weights: dict[str, Any], base: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def lost_end(folder: Path, weights: dict[str, Any], base: Path) -> None:
    """As it is where a base model's end of text is taken for the end of a turn."""
    for name in ("generation_config.json", "config.json"):
        facts = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(facts | {"eos_token_id": 0}))


def untouched_base(folder: Path, weights: dict[str, Any], base: Path) -> None:
    from safetensors.torch import load_file

    save(folder, load_file(base / "model.safetensors"))


def transposed(folder: Path, weights: dict[str, Any], base: Path) -> None:
    name = "model.layers.0.self_attn.o_proj.weight"
    save(folder, weights | {name: weights[name].T})


def corrupted_shard(folder: Path, weights: dict[str, Any], base: Path) -> None:
    """A stretch of one shard is overwritten, as a copy or a disk does it: length and header are right."""
    file = folder / "model-00002-of-00002.safetensors"
    whole = bytearray(file.read_bytes())
    begin = len(whole) // 2
    whole[begin : begin + 4096] = bytes(byte ^ 0x7F for byte in whole[begin : begin + 4096])
    file.write_bytes(whole)


def zeroed_shard(folder: Path, weights: dict[str, Any], base: Path) -> None:
    """A hole in the file, as a download that was taken up again leaves it."""
    file = folder / "model-00002-of-00002.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 3] + bytes(len(whole) // 3) + whole[2 * (len(whole) // 3) :])


# name -> (what breaks it, the cause that must be found); "" where all is well
ZOO: dict[str, tuple[Broken | None, str]] = {
    "good": (None, ""),
    "swapped_template": (swapped_template, "template"),
    "lost_template": (lost_template, "template"),
    "lost_end": (lost_end, "end token"),
    "untouched_base": (untouched_base, "untouched base"),
    "double_scale": (None, "scale"),
    "no_alpha": (None, "scale"),
    "transposed": (transposed, "weights"),
    "corrupted_shard": (corrupted_shard, "weights"),
    "zeroed_shard": (zeroed_shard, "weights"),
}
SCALES = {"double_scale": 2 * ALPHA / RANK, "no_alpha": 1.0}


def make(folder: Path, tiny: Path) -> dict[str, Path]:
    """The folders of all, by name; `base` and `adapter` are what they are made of."""
    base = make_base(folder / "base", tiny)
    made = {"base": base, "adapter": make_adapter(folder / "adapter", base)}
    for name, (broken, _) in ZOO.items():
        made[name] = folder / name
        weights = merge(made[name], base, made["adapter"], SCALES.get(name, ALPHA / RANK))
        if broken:
            broken(made[name], weights, base)
    return made
