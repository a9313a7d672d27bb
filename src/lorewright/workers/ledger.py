"""What Axolotl makes of a training set, line by line: its own preprocessing, and what became of each line.

Runs in the train environment: python ledger.py axolotl.yaml SAMPLES.jsonl FACTS.json
A line of SAMPLES for every piece of a line of the set: split (training, validation), line (from 1), document, tokens (as trained),
length (before anything was cut), trained (tokens with a label), fate (kept, truncated, dropped as too long, left_out for another
reason), spans ([trained or not, text] …), fault (what is wrong with the mask, else ""). FACTS: the template's opening of an answer,
why Axolotl refuses the set (else ""), and what the time of training follows from (parameters that work on a token, floating-point
operations a second of a device, how many devices; 0 where unknown). No weights are read, nothing is trained.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MASKED = -100
CLOSING = 64  # characters that a template may train behind an answer


def main(config: str, samples: str, facts: str) -> None:
    os.environ["AXOLOTL_IS_PREPROCESS"] = "1"
    from axolotl.cli.config import load_cfg
    from axolotl.loaders import load_tokenizer

    cfg = load_cfg(config, is_preprocess=True)
    cfg.is_preprocess = True  # never from a cache
    tokenizer = load_tokenizer(cfg)
    opening = opening_of(tokenizer, cfg)
    left, refused = _made(cfg)
    with _whole(Path(samples)) as beside, open(beside, "w", encoding="utf-8") as file:
        for split, entries, limit in (
            ("training", cfg.datasets, cfg.sequence_len),
            ("validation", cfg.test_datasets, cfg.eval_sequence_len or cfg.sequence_len),
        ):
            for entry in entries or ():
                file.writelines(
                    json.dumps({"split": split} | sample, ensure_ascii=False) + "\n"
                    for sample in _samples(entry, cfg, tokenizer, limit, left[split], opening)
                )
    with _whole(Path(facts)) as beside:
        beside.write_text(json.dumps({"opening": opening, "refused": refused} | device_facts(cfg)), encoding="utf-8")


def _made(cfg: Any) -> tuple[dict[str, Counter[bytes]], str]:
    """(marks of all that Axolotl would train on, why it refuses the set: then there is nothing, else "")"""
    from axolotl.common.datasets import load_datasets

    try:
        made = load_datasets(cfg=cfg)
    except ValueError as problem:
        return {"training": Counter(), "validation": Counter()}, (str(problem).splitlines() or [type(problem).__name__])[0]
    sides = {"training": made.train_dataset, "validation": made.eval_dataset}
    return {name: Counter(_mark(row["input_ids"], row["labels"]) for row in dataset or ()) for name, dataset in sides.items()}, ""


def _samples(entry: Any, cfg: Any, tokenizer: Any, limit: int, left: Counter[bytes], opening: str) -> Iterator[dict[str, Any]]:
    from axolotl.prompt_strategies import load
    from axolotl.utils.data.shared import load_dataset_with_config

    strategy = load(entry.type, tokenizer, cfg, entry)
    loaded = load_dataset_with_config(entry, False, streaming=False)
    for number, row in enumerate(loaded["train"] if isinstance(loaded, dict) else loaded, 1):
        for ids, labels in _tokenised(strategy, row):
            length = len(ids)
            fate = "dropped" if length > limit else "left_out"
            for kept, size in (("kept", length), ("truncated", limit)):
                mark = _mark(ids[:size], labels[:size])
                if left[mark]:
                    left[mark] -= 1
                    fate, ids, labels = kept, ids[:size], labels[:size]
                    break
            spans = list(_spans(ids, labels, tokenizer))
            trained = sum(label != MASKED for label in labels)
            fault = "" if trained else "no token is trained"
            if fate == "kept" and not fault and not cfg.train_on_inputs:
                fault = fault_of(row, spans, opening, tokenizer)
            yield {
                "line": number, "document": str(row.get("document") or ""), "tokens": len(ids), "length": length, "fate": fate,
                "trained": trained, "spans": spans, "fault": fault,
            }  # fmt: skip


def _tokenised(strategy: Any, row: Mapping[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """(input ids, labels) of every piece that the strategy makes of a row."""
    if strategy.supports_batched:
        made = strategy.tokenize_prompt({name: [value] for name, value in row.items()})
        yield from zip(made["input_ids"], made["labels"], strict=True)
    else:
        made = strategy.tokenize_prompt(row)
        yield list(made["input_ids"]), list(made["labels"])


def _mark(ids: list[int], labels: list[int]) -> bytes:
    return hashlib.blake2b(json.dumps([list(ids), list(labels)]).encode(), digest_size=12).digest()


def _spans(ids: list[int], labels: list[int], tokenizer: Any) -> Iterator[tuple[bool, str]]:
    """(trained, text) of runs of tokens. Each text is what its run adds to the text before it, since a decoder may join tokens."""
    begin, before = 0, ""
    for at in range(1, len(ids) + 1):
        if at == len(ids) or (labels[at] != MASKED) != (labels[begin] != MASKED):
            whole = tokenizer.decode(ids[:at], clean_up_tokenization_spaces=False)
            yield labels[begin] != MASKED, whole[len(before) :]
            begin, before = at, whole


def fault_of(row: Mapping[str, Any], spans: list[tuple[bool, str]], opening: str, tokenizer: Any) -> str:
    """What is wrong with a sample's mask; "" when nothing is. opening: what the template puts before an answer, "" if unknown."""
    masked = ""
    for is_trained, text in spans:
        if is_trained and opening and "messages" in row and opening not in masked:
            return "an answer does not follow the template's opening"
        masked = "" if is_trained else text
    trained = _bare("".join(text for is_trained, text in spans if is_trained))
    wanted = [_bare(tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"])) for text in _wanted(row)]
    if any(text not in trained for text in wanted):
        return "a part of the answer is masked"
    if wanted and len(trained) - sum(map(len, wanted)) > CLOSING * len(wanted) + len(_thoughts(row)):
        return "more than the answer is trained"
    return ""


def _wanted(row: Mapping[str, Any]) -> list[str]:
    """The texts that are to be trained, blanks around them apart."""
    if row.get("messages"):
        texts = [turn.get("content") or "" for turn in row["messages"] if turn.get("role") == "assistant"]
    else:
        texts = [part["text"] for part in row.get("segments") or () if part["label"]]
    return [text.strip() for text in texts if text.strip()]


def _bare(text: str) -> str:
    """Without blanks, which tokenizers put elsewhere."""
    return "".join(text.split())


def _thoughts(row: Mapping[str, Any]) -> str:
    return "".join(turn.get("reasoning_content") or "" for turn in row.get("messages") or ())


def opening_of(tokenizer: Any, cfg: Any) -> str:
    """What the chat template puts before an answer, found by rendering a question with and without it; "" where it shows nothing."""
    from axolotl.utils.chat_templates import get_chat_template_from_config

    entry = next((entry for entry in cfg.datasets if entry.type == "chat_template"), None)
    if not entry:
        return ""
    settings = dict(cfg.chat_template_kwargs or {}) | {"enable_thinking": True}  # the shortest opening: without an empty thought
    template = get_chat_template_from_config(cfg=cfg, ds_cfg=entry, tokenizer=tokenizer)
    closed, opened = (
        tokenizer.apply_chat_template(
            [{"role": "user", "content": "?"}], chat_template=template, tokenize=False, add_generation_prompt=opening, **settings
        )
        for opening in (False, True)
    )
    return str(opened[len(closed) :]) if opened.startswith(closed) else ""


def device_facts(cfg: Any) -> dict[str, float]:
    """parameters: those that work on a token; 0 for a model of another kind. flops: what a large matrix product reaches on one of
    `devices`, in the precision of training."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    trusted = {"trust_remote_code": bool(cfg.trust_remote_code)}
    try:
        config = AutoConfig.from_pretrained(cfg.base_model, revision=cfg.revision_of_model or None, **trusted)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, **trusted)
    except (ValueError, OSError, ImportError) as problem:
        print(f"no estimate: {problem}", flush=True)
        return {"parameters": 0.0, "flops": 0.0, "gpu": torch.cuda.is_available(), "devices": 1}
    text = model.config.get_text_config()
    experts, used = (getattr(text, name, None) for name in ("num_local_experts", "num_experts_per_tok"))
    share = used / experts if experts and used else 1.0
    counts = [(name, weight.numel()) for name, weight in model.named_parameters()]
    working = sum(count * (share if ".experts." in name else 1.0) for name, count in counts)
    on_gpu = torch.cuda.is_available()
    size, kind, device = (8192, torch.bfloat16, "cuda") if on_gpu else (1024, torch.float32, "cpu")
    first, second = (torch.randn(size, size, dtype=kind, device=device) for _ in range(2))
    best = 1e9
    for _ in range(4):  # the first one warms up
        begun = time.perf_counter()
        first @ second
        if on_gpu:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begun)
    return {"parameters": working, "flops": 2.0 * size**3 / best, "gpu": on_gpu, "devices": torch.cuda.device_count() if on_gpu else 1}


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file to write that appears under its name, fsynced, when the block ends without an error."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield beside
        with open(beside, "rb") as written:
            os.fsync(written.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
