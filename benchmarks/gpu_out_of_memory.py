#!/usr/bin/env python3
"""Takes most of a card's memory away and watches the product train all the same: the out-of-memory ladder, for real.

    python benchmarks/gpu_out_of_memory.py [--leave 10 6 4] [--folder FOLDER] [--tiny]

Another process holds the card but for so many GiB while `./lorewright train` trains 1.2 billion random weights with LoRA. For each: which
steps it took, while doing what, and whether the batch stayed. Ends with 1 where a training did not come to its end.
--tiny: on a small model and, without a card, with nothing taken away, to see that the script runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "src"))

from training_cases import SHAPES, small  # noqa: E402

from lorewright import envs  # noqa: E402

SHAPE = SHAPES["meta-llama/Llama-3.1-8B-Instruct"] | {
    "vocab_size": 32768, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_key_value_heads": 8, "head_dim": 64,
}  # fmt: skip
HOLD = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(int(free - float(sys.argv[1]) * 2**30), dtype=torch.uint8, device="cuda")
print("held", flush=True); sys.stdin.read()
"""


@contextlib.contextmanager
def held(python: Path, leave: float, *, card: bool) -> Iterator[None]:
    """While it lasts, no more than `leave` GiB of the card can be had."""
    if not card:
        yield
        return
    holder = subprocess.Popen([str(python), "-c", HOLD, str(leave)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout
        if holder.stdout.readline().strip() != "held":
            sys.exit(f"the card has no {leave} GiB free")
        yield
    finally:
        holder.terminate()
        holder.wait()


def recipe(folder: Path, leave: float, *, tiny: bool) -> Path:
    """Eight long examples at a time, and every step of the ladder that keeps the adapter's shape."""
    length = 128 if tiny else 2048
    data = {"sources": [str(folder / "text.md")], "format": "completion", "system_prompt": "w5", "validation": 0.1}
    batch = {
        "sequence_len": length,
        "micro_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "max_steps": 12,
        "save_steps": 4,
        "eval_steps": 6,
    }
    values: dict[str, Any] = {
        "recipe": f"leave_{leave:g}",
        "base_model": str(folder / "model"),
        "data": data | {"chunk": {"unit": "tokens", "min": length // 2, "max": length - 28}},
        "axolotl": {"adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_target_linear": True, "pad_to_sequence_len": True}
        | {"learning_rate": 1e-4, "optimizer": "adamw_torch", "bf16": "auto", "attn_implementation": "sdpa", "logging_steps": 1}
        | {"excess_length_strategy": "truncate"}
        | batch,
    }
    file = folder / f"leave_{leave:g}.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return file


def write_text(file: Path, vocabulary: int, tokens: int) -> None:
    draw = random.Random(5)
    sentences = (" ".join(f"w{draw.randrange(3, vocabulary)}" for _ in range(12)) + "." for _ in range(tokens // 13))
    file.write_text("\n\n".join(sentences), encoding="utf-8")


def trained(file: Path, folder: Path) -> tuple[bool, str, dict[str, Any]]:
    """(whether it came to its end, what it said, the ladder's record)."""
    for verb in ("extract", "prepare", "train"):
        command = [str(REPO / "lorewright"), verb, str(file), "--runs", str(folder / "runs")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
        if done.returncode:
            break
    found = sorted((folder / "runs" / file.stem).glob("train/*/out_of_memory.json"))
    record = json.loads(found[-1].read_text(encoding="utf-8")) if found else {"taken": [], "used": {}}
    return done.returncode == 0, done.stdout + done.stderr, record


def row(leave: float, whole: bool, record: dict[str, Any]) -> str:
    steps = [f"{step['step']} ({step['said']}) while {step['phase']}, step {step['at_step']}" for step in record["taken"]]
    used = record["used"]
    batch = used.get("micro_batch_size", 8) * used.get("gradient_accumulation_steps", 1)
    return f"| {leave:g} | {'; '.join(steps) or 'none needed'} | {batch} | {'yes' if whole else 'NO'} |"


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains on a card whose memory is taken away.")
    parser.add_argument("--leave", nargs="+", type=float, default=[10, 6, 4], metavar="GIB")
    parser.add_argument("--folder", type=Path, help="where the model is made and trained (default: a temporary folder)")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    named = os.environ.get("LOREWRIGHT_TRAIN_PYTHON")
    python = Path(named) if named else envs.ensure("train").path / "bin" / "python"
    card = subprocess.run([str(python), "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"]).returncode == 0
    shape, bad = small(SHAPE) if given.tiny else SHAPE, False
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        maker = [str(python), str(REPO / "benchmarks" / "random_model.py"), str(folder), json.dumps(shape), "128", "1"]
        made = subprocess.run(maker, capture_output=True, text=True)
        if made.returncode:
            sys.exit(f"no model could be made: {made.stderr[-3000:]}")
        write_text(folder / "text.md", shape["vocab_size"], 30_000 if given.tiny else 300_000)
        print("| GiB left | steps taken | examples a step | trained to its end |\n|---|---|---|---|", flush=True)
        for leave in given.leave:
            with held(python, leave, card=card):
                whole, said, record = trained(recipe(folder, leave, tiny=given.tiny), folder)
            print(row(leave, whole, record), flush=True)
            if not whole:
                print(said[-3000:], flush=True)
            bad |= not whole
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
