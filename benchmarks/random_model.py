#!/usr/bin/env python3
"""Makes a model with random weights of a known shape, its tokenizer, and examples of exactly one length. Runs in the train environment.

    python benchmarks/random_model.py FOLDER '{"model_type": "llama", …}' LENGTH SAMPLES

Speed and memory need no trained weights. FOLDER gets `model/` (kept when it is already there) and `examples-LENGTH.jsonl`: token numbers,
each example LENGTH long and trained but for its first 48, as a prompt would be left out; nothing is padded, so tokens are tokens.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

PROMPT = 48
TEMPLATE = "{% for m in messages %}{{ m['role'] + ' ' + m['content'] + ' ' }}{% endfor %}"


def make_tokenizer(folder: Path, vocabulary: int) -> None:
    """A word for each number."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({f"w{number}": number for number in range(vocabulary)}, unk_token="w0"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="w2", eos_token="w1", unk_token="w0", pad_token="w1")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)


def make_model(folder: Path, shape: dict[str, Any]) -> None:
    """shape: keys of transformers' configuration of `model_type`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    make_tokenizer(folder, shape["vocab_size"])
    torch.manual_seed(1)
    config = AutoConfig.for_model(**shape, bos_token_id=2, eos_token_id=1, pad_token_id=1, dtype="bfloat16")
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="4GB")


def make_examples(file: Path, vocabulary: int, length: int, samples: int) -> None:
    draw = random.Random(5)
    with open(file, "w", encoding="utf-8") as out:
        for _ in range(samples):
            ids = [draw.randrange(3, vocabulary) for _ in range(length)]
            labels = [-100] * PROMPT + ids[PROMPT:]
            out.write(json.dumps({"input_ids": ids, "attention_mask": [1] * length, "labels": labels}) + "\n")


def main() -> None:
    folder, shape, length, samples = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if not (folder / "model" / "config.json").exists():
        make_model(folder / "model", shape)
    make_examples(folder / f"examples-{length}.jsonl", shape["vocab_size"], length, samples)


if __name__ == "__main__":
    main()
