"""Makes the tiny base model, models/tiny: a Llama with random weights and a tokenizer trained on the sample prose.

It exists so that every stage can run for real in seconds, without a hub. It has learnt nothing and writes nonsense.
Use: python models/make_tiny.py [FOLDER], with the core environment's Python (seeded: always the same bytes)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROSE = HERE.parent / "fine-tuning" / "data" / "raw"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    files = sorted(path for path in PROSE.iterdir() if path.suffix in (".md", ".txt"))
    inner.train_from_iterator((path.read_text(encoding="utf-8") for path in files), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>")  # noqa: S106
    tokenizer.chat_template = CHATML
    return tokenizer


def main(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(20)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=8192, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    beside = folder / ".making"
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(beside)
    tokenizer.save_pretrained(beside)
    for file in sorted(beside.iterdir(), key=lambda path: path.name == "config.json"):  # the config last: it says "whole"
        file.replace(folder / file.name)
    beside.rmdir()


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "tiny"
    if not (target / "config.json").exists():
        main(target)
    print(target)
