"""What models expect to come next, after the same texts: python parity_transformers.py REQUEST.json

Runs in the train environment. REQUEST: asked (a JSONL file of questions) and models, which are loaded one after the other; each has
name, model (a folder or a hub name), revision, tokenizer (a folder), adapter (a folder or ""), four_bit, trust_remote_code, observed
(the file to write) and base (the same without the adapter; "" for not).
A question: id, messages (rendered with the chat template) or text (as it stands), answer_ids, top, settings of the template.
A line of an observation: id, prompt_ids, positions; position i has the ids and natural logarithms of probability of the `top` likeliest
tokens after prompt_ids and the first i of answer_ids. Lines `parity: {…}` on standard output say which model is at work.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any


def main(request: str) -> None:
    settings = json.loads(Path(request).read_text(encoding="utf-8"))
    asked = [json.loads(line) for line in Path(settings["asked"]).read_text(encoding="utf-8").splitlines() if line]
    room = all(roomy(wanted) for wanted in settings["models"])  # all in one precision, whichever is the largest
    for wanted in settings["models"]:
        print(f"parity: {json.dumps({'at': wanted['name']})}", flush=True)
        observe(wanted, asked, room=room)
        gc.collect()  # one model is gone before the next one comes


def observe(wanted: dict[str, Any], asked: list[dict[str, Any]], *, room: bool) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(wanted["tokenizer"], trust_remote_code=wanted["trust_remote_code"])
    prompts = [read_prompt(tokenizer, question, must=bool(wanted["adapter"])) for question in asked]
    model = load(wanted, len(tokenizer), room=room)
    write(Path(wanted["observed"]), model, asked, prompts)
    if wanted["base"]:
        with model.disable_adapter() if wanted["adapter"] else contextlib.nullcontext():
            write(Path(wanted["base"]), model, asked, prompts)


def read_prompt(tokenizer: Any, question: dict[str, Any], *, must: bool) -> list[int]:
    """Empty where a model has lost its template, or has one that refuses the chat; must: then it is an error."""
    from jinja2 import TemplateError

    try:
        return prompt_ids(tokenizer, question)
    except (ValueError, TemplateError):
        if must:
            raise
        return []


def prompt_ids(tokenizer: Any, question: dict[str, Any]) -> list[int]:
    if question["messages"] is None:
        return list(tokenizer(question["text"])["input_ids"])
    text = tokenizer.apply_chat_template(question["messages"], tokenize=False, add_generation_prompt=True, **question.get("settings", {}))
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def load(wanted: dict[str, Any], tokens: int, *, room: bool) -> Any:
    """The model with its adapter. On a card as it was trained and will be served, in bf16; on a processor in float32, where only what the
    weights' own rounding changes is seen; in the weights' own type where memory would not hold that."""
    import torch
    from transformers import AutoModelForCausalLM

    on_gpu = torch.cuda.is_available()
    card = torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float16
    kind = card if on_gpu else torch.float32 if room else "auto"
    shared = {"trust_remote_code": wanted["trust_remote_code"]} | ({"revision": wanted["revision"]} if wanted["revision"] else {})
    shared |= {"device_map": "auto"} if on_gpu else {}  # what a card has no room for lies beside it
    model = AutoModelForCausalLM.from_pretrained(wanted["model"], dtype=kind, **quantised(wanted, kind), **shared)
    if wanted["adapter"]:
        from peft import PeftModel

        if tokens > model.get_input_embeddings().num_embeddings:  # training has added tokens
            model.resize_token_embeddings(tokens)
        model = PeftModel.from_pretrained(model, wanted["adapter"])
    return model.eval()


def roomy(wanted: dict[str, Any]) -> bool:
    """Whether memory holds a model's weights in float32, twice their size in 16 bits; not where they are not here to be measured."""
    folder = Path(wanted["model"])
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(wanted["model"], revision=wanted["revision"] or None, local_files_only=True))
        except (OSError, ValueError):
            return False
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 2.2 * size < free


def quantised(wanted: dict[str, Any], kind: Any) -> dict[str, Any]:
    """In 4 bits as Axolotl loads a base for QLoRA; a model that is quantised already is taken as it is."""
    import torch
    from transformers import AutoConfig, BitsAndBytesConfig

    if not wanted["four_bit"]:
        return {}
    config = AutoConfig.from_pretrained(wanted["model"], revision=wanted["revision"] or None, trust_remote_code=wanted["trust_remote_code"])
    if getattr(config, "quantization_config", None):
        return {}
    compute = torch.float32 if kind == "auto" else kind
    how = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": compute}
    return {"quantization_config": BitsAndBytesConfig(load_in_4bit=True, **how)}


def write(observed: Path, model: Any, asked: list[dict[str, Any]], prompts: list[list[int]]) -> None:
    """A question at a time: padding would let one change the other's last bits."""
    lines = [
        json.dumps({"id": question["id"], "prompt_ids": prompt, "positions": positions(model, prompt, question) if prompt else []})
        for question, prompt in zip(asked, prompts, strict=True)
    ]
    observed.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def positions(model: Any, prompt: list[int], question: dict[str, Any]) -> list[dict[str, Any]]:
    import torch

    wanted = len(question["answer_ids"]) + 1
    device = model.get_input_embeddings().weight.device
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([prompt + question["answer_ids"]], device=device), logits_to_keep=wanted, use_cache=False)
        logs = torch.log_softmax(found.logits[0, -wanted:].float(), -1)
        best = logs.topk(question["top"], dim=-1)
    return [{"ids": ids, "logprobs": values} for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


if __name__ == "__main__":
    main(sys.argv[1])
