#!/usr/bin/env python3
"""Measures what the whole product makes of the starter model: fine-tuning, serving, QLoRA, conversion. Standard library only.

    python3 benchmarks/starter_product.py [--times 5] [--converter FOLDER] [--write benchmarks/results/starter_product.md]

Fine-tuning: the quickstart's LoRA, two epochs, and the perplexity on its held-out scenes before and after. Serving: tokens a second of
one stream from vLLM on this processor. Both as the median of --times. QLoRA: one run of the same recipe with a 4-bit base model.
Conversion: --converter names llama.cpp's source folder (the source package of llama-cpp-python has it under vendor/).
Ends with 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
RECIPE = "configs/starter.yaml"
PORT = 18731
Row = tuple[str, str, str, bool]
"""what, measured, to reach, reached"""


def call(*words: str, **variables: str) -> str:
    """What a command that must succeed printed."""
    done = subprocess.run(words, cwd=REPO, env=os.environ | variables, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def python_of(environment: str) -> str:
    return f"{call('./lorewright', 'envs', 'build', environment).strip()}/bin/python"


def lorewright(runs: Path, *words: str) -> str:
    return call("./lorewright", *words, "--runs", str(runs), LOREWRIGHT_ACCELERATOR="cpu")


def fine_tuning_rows(folder: Path, times: int) -> list[Row]:
    """Seconds of the train stage and perplexity before and after, for several trainings from nothing."""
    seconds, drops, told = [], [], {}
    for number in range(times):
        runs = folder / f"tuned{number}"
        lorewright(runs, "run", RECIPE, "--only", "prepare", "--only", "train", "--only", "merge")
        latest = runs / "starter" / "latest"
        seconds.append(json.loads((latest / "train" / "step.json").read_text())["seconds"])
        told = perplexities(latest / "prepare" / "validation.jsonl", [REPO / "models" / "starter", latest / "merge" / "merged"])
        drops.append(1 - told["perplexity"][1] / told["perplexity"][0])
    before, after = told["perplexity"]
    middle, drop = statistics.median(seconds), statistics.median(drops)
    what = f"{told['scenes']} held-out scenes, {told['tokens']:,} tokens"
    return [
        (f"fine-tuning lowers the perplexity ({what}: {before:.1f} to {after:.1f} in the last of {times})", f"{drop:.1%}", "≥ 15%",
         drop >= 0.15 and told["scenes"] >= 4),
        (f"seconds of the train stage, two epochs, median of {times} ({min(seconds):.0f} to {max(seconds):.0f})", f"{middle:.0f}", "≤ 120",
         middle <= 120),
    ]  # fmt: skip


def perplexities(validation: Path, models: list[Path]) -> dict[str, Any]:
    """Of the answers' tokens in a validation file, for each model; with the number of scenes and of tokens."""
    done = call(python_of("train"), __file__, "--perplexity", str(validation), *(str(model) for model in models), HF_HUB_OFFLINE="1")
    told: dict[str, Any] = json.loads(done.splitlines()[-1])
    return told


def measure_perplexity(validation: Path, models: list[Path]) -> dict[str, Any]:
    """The work of `perplexities`, where torch and transformers are."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = [json.loads(line) for line in validation.read_text(encoding="utf-8").splitlines()]
    scenes = {row["messages"][1]["content"].split("“")[-1].split("”")[0] for row in rows}
    found, count = [], 0
    for folder in models:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        total, count = 0.0, 0
        for row in rows:
            asked = tokenizer.apply_chat_template(row["messages"][:-1], tokenize=False, add_generation_prompt=True)
            begin = len(tokenizer(asked, add_special_tokens=False)["input_ids"])
            answer = row["messages"][-1]["content"] + "<|im_end|>"
            ids = torch.tensor([tokenizer(asked + answer, add_special_tokens=False)["input_ids"]])
            with torch.no_grad():
                logits = model(ids).logits[0, begin - 1 : -1]
            total += float(torch.nn.functional.cross_entropy(logits, ids[0, begin:], reduction="sum"))
            count += ids.shape[1] - begin
        found.append(math.exp(total / count))
    return {"perplexity": found, "tokens": count, "scenes": len(scenes)}


def serving_row(runs: Path, times: int) -> Row:
    """One stream of 256 tokens, from the first to the last of them, as a client sees them. runs: with a merged model."""
    words = ("--set", f"serve.port={PORT}")
    call("./lorewright", "serve", RECIPE, *words, LOREWRIGHT_ACCELERATOR="cpu", LOREWRIGHT_RUNS=str(runs))
    try:
        rates = [stream_rate() for _ in range(times + 1)][1:]
    finally:
        call("./lorewright", "stop", LOREWRIGHT_RUNS=str(runs))
    middle = statistics.median(rates)
    return (f"tokens a second of one stream from vLLM on this processor, median of {times} ({min(rates):.0f} to {max(rates):.0f})",
            f"{middle:.0f}", "≥ 60", middle >= 60)  # fmt: skip


def stream_rate(tokens: int = 256) -> float:
    body = {"model": "starter", "messages": [{"role": "user", "content": "Write a scene at a harbour."}], "max_tokens": tokens,
            "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    stamps, made = [], 0
    with urllib.request.urlopen(request, timeout=120) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                event = json.loads(line[6:])
                stamps += [time.monotonic()] if event["choices"] else []
                made = event["usage"]["completion_tokens"] if event.get("usage") else made
    return (made - 1) / (stamps[-1] - stamps[0])


def qlora_row(folder: Path) -> Row:
    """Axolotl trains an adapter on the base model in 4 bits (bitsandbytes)."""
    runs = folder / "qlora"
    four_bit = ("--set", "axolotl.adapter=qlora", "--set", "axolotl.load_in_4bit=true")
    lorewright(runs, "run", RECIPE, *four_bit, "--only", "prepare", "--only", "train")
    step = json.loads((runs / "starter" / "latest" / "train" / "step.json").read_text())
    said = str(step["facts"]["said"])
    return "Axolotl trains it with QLoRA", said, "the loss falls", step["facts"]["final_loss"] < step["facts"]["first_loss"]


def conversion_row(folder: Path, source: Path) -> Row:
    made = folder / "starter.gguf"
    call(python_of("serve"), str(source / "convert_hf_to_gguf.py"), str(REPO / "models" / "starter"), "--outtype", "bf16", "--outfile",
         str(made), PYTHONPATH=str(source / "gguf-py"))  # fmt: skip
    head = made.read_bytes()[:4]
    return "llama.cpp’s converter accepts it", f"{made.stat().st_size:,} bytes of GGUF", "a GGUF file", head == b"GGUF"


def machine() -> str:
    model = next((line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    return f"{len(os.sched_getaffinity(0))} cores of {model.strip()}, Python {platform.python_version()}"


def main() -> int:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--times", type=int, default=5)
    read.add_argument("--converter", type=Path)
    read.add_argument("--write", type=Path)
    read.add_argument("--perplexity", type=Path, nargs="+", help=argparse.SUPPRESS)
    told = read.parse_args()
    if told.perplexity:
        print(json.dumps(measure_perplexity(told.perplexity[0], told.perplexity[1:])))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = fine_tuning_rows(folder, told.times)
        print(*rows, sep="\n", flush=True)
        rows += [serving_row(folder / "tuned0", told.times), qlora_row(folder)]
        rows += [conversion_row(folder, told.converter.resolve())] if told.converter else []
    lines = [f"| {what} | {value} | {bound} | {'yes' if well else '**no**'} |" for what, value, bound, well in rows]
    text = "\n".join(["| figure | measured | to reach | |", "|---|---|---|---|", *lines, "", machine()])
    print(text)
    if told.write:
        told.write.write_text(f"# The starter in the product\n\n`python3 benchmarks/starter_product.py`\n\n{text}\n", encoding="utf-8")
    return 0 if all(well for *_, well in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
