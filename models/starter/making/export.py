"""The finished folder: bf16 weights, tokenizer, configuration; and reading a model back."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch

from making.tokenizer import BOS_ID, IM_END_ID, PAD_ID

LARGEST = 36_000_000
TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def keep(model: Any, folder: Path) -> None:
    """The weights between two phases, in float32; whole or not at all."""
    beside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    model.save_pretrained(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def load(folder: Path) -> Any:
    """A kept model, in float32."""
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")


def finish(model: Any, tokenizer: Path, target: Path) -> int:
    """Writes the model for others into the target folder, the configuration last; returns the bytes of the model's files there.

    Raises:
        SystemExit: they are more than LARGEST.
    """
    from transformers import GenerationConfig

    beside = target / ".finishing"
    shutil.rmtree(beside, ignore_errors=True)
    half = copy.deepcopy(model).to(torch.bfloat16).cpu()
    half.generation_config = GenerationConfig(
        bos_token_id=BOS_ID, eos_token_id=[IM_END_ID, PAD_ID], pad_token_id=PAD_ID, do_sample=True, temperature=0.7, top_p=0.95
    )
    half.save_pretrained(beside)
    for name in TOKENIZER_FILES:
        shutil.copy(tokenizer / name, beside / name)
    for file in sorted(beside.iterdir(), key=lambda path: path.name == "config.json"):
        file.chmod(0o644)
        file.replace(target / file.name)
    beside.rmdir()
    size = weigh(target)
    if size > LARGEST:
        raise SystemExit(f"{target}: {size:,} bytes, more than {LARGEST:,}; make the model or the tokenizer smaller")
    return size


def weigh(folder: Path) -> int:
    """The bytes of the model's own files in the folder: weights, *.json, tokenizer.model and the chat template."""
    own = {"model.safetensors", "tokenizer.model", "chat_template.jinja"}
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file() and (path.name in own or path.suffix == ".json"))
