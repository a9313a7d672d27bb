"""What transformers finds likely, in 32 bit, in the train environment: python likeliest.py MODEL asked.jsonl observed.jsonl

The other side of workers/parity_gguf.py, which has the keys of both files.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(folder: str, asked: str, observed: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    lines = []
    for line in Path(asked).read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        if question["messages"]:
            text = tokenizer.apply_chat_template(question["messages"], add_generation_prompt=True, tokenize=False)
            prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        else:
            prompt = tokenizer(question["text"])["input_ids"]
        answer = tokenizer(question.pop("answer"), add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            rows = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 :].double().log_softmax(-1)
        values, ids = rows.topk(question["top"])
        positions = [{"ids": one, "logprobs": found} for one, found in zip(ids.tolist(), values.tolist(), strict=True)]
        lines.append((question | {"answer_ids": answer}, {"id": question["id"], "prompt_ids": prompt, "positions": positions}))
    Path(asked).write_text("".join(json.dumps(question) + "\n" for question, _ in lines))
    Path(observed).write_text("".join(json.dumps(found) + "\n" for _, found in lines))


main(*sys.argv[1:])
