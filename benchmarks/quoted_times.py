#!/usr/bin/env python3
"""What the reference systems quote for their cards, beside what `plan --gpu` foretells for the same work.

    python benchmarks/quoted_times.py

Run it with the core environment. Writes benchmarks/results/quoted_times.md. Lengths that the reference systems do not give are assumed
as the column says; their trainers are others than ours, so this compares orders of magnitude and whether it fits, nothing finer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "src"))

from lorewright.recipe import load  # noqa: E402
from lorewright.training.forecast.found import find_model  # noqa: E402
from lorewright.training.forecast.gpus import find_gpu  # noqa: E402
from lorewright.training.forecast.lengths import Lengths  # noqa: E402
from lorewright.training.forecast.predict import Forecast, predict  # noqa: E402
from lorewright.training.render import axolotl_config  # noqa: E402

RESULT = REPO / "benchmarks" / "results" / "quoted_times.md"


@dataclass(frozen=True)
class Quote:
    """lengths: how many examples have so many tokens. keys: of axolotl, where the reference differs from our recipe."""

    row: str
    recipe: str
    gpu: str
    quoted: str
    assumed: str
    lengths: Mapping[int, int]
    kind: str = "memory"
    keys: Mapping[str, Any] = field(default_factory=dict)


def even(number: int, least: int, most: int, points: int = 10) -> dict[int, int]:
    """So many examples, evenly from the shortest to the longest."""
    return {least + (most - least) * place // (points - 1): number // points for place in range(points)}


PASSAGES = even(1000, 600, 1900)
PERSONA = {560: 856}  # 321 steps of 8 in 3 epochs; 350 words and their question
ALONE: dict[str, Any] = {"evals_per_epoch": None}  # the quotes are of training
QUOTES = (
    Quote("F1", "qlora_style_transfer", "RTX 5090", "8–12 GB", "examples of 600 to 1,900 tokens, no evaluation", PASSAGES, keys=ALONE),
    Quote("F1", "qlora_style_transfer", "RTX 5090", "8–12 GB", "as shipped, its evaluations with it", PASSAGES),
    Quote("F2", "lora_style_transfer", "RTX 5090", "18–24 GB", "examples of 600 to 1,900 tokens, no evaluation", PASSAGES, keys=ALONE),
    Quote("F4", "qlora_style_transfer", "RTX 5090", "2–4 h", "1,000 examples of 600 to 1,900 tokens, 3 epochs", PASSAGES, "time"),
    Quote("F4", "lora_style_transfer", "RTX 5090", "2–4 h", "the same, unquantised", PASSAGES, "time"),
    Quote("P6", "persona_qa", "RTX 4090", "13.4 GB", "Qwen3-14B, rank 32, examples of 560 tokens", PERSONA, keys=ALONE),
    Quote("P6", "persona_qa", "RTX 4090", "23 min for 321 steps", "856 examples of 560 tokens, 3 epochs", PERSONA, "time", ALONE),
    Quote("P6", "persona_qa_32b", "RTX 4090", "under 24 GB", "Qwen3-32B, rank 32, examples of 560 tokens", PERSONA, keys=ALONE),
    Quote("S3", "scientific_longform", "RTX 3070", "fits 8 GB", "passages of 2,000 characters, 512 tokens", even(1000, 300, 512)),
)  # fmt: skip


def foretold(quote: Quote) -> Forecast:
    recipe = load(REPO / "configs" / f"{quote.recipe}.yaml")
    config, _ = axolotl_config(recipe, training="", validation="held out", accelerator="cuda")
    held_out = {max(quote.lengths): max(1, sum(quote.lengths.values()) // 10)}
    lengths = Lengths(quote.lengths, held_out, True, quote.assumed)
    return predict(config | quote.keys, find_model(recipe.base_model), find_gpu(quote.gpu), lengths)


def line(quote: Quote) -> str:
    found = foretold(quote)
    memory = f"{found.allocated / 1e9:.1f} GB by PyTorch's count, {found.needed / 1e9:.1f} GB of the card: {found.verdict}"
    hours = found.seconds / 3600
    spent = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    time = f"{spent} for {found.time.steps:,} steps ({found.tokens_per_second:,.0f} tokens a second)"
    said = time if quote.kind == "time" else memory
    return f"| {quote.row} | `{quote.recipe}` | {quote.gpu} | {quote.quoted} | {said} | {quote.assumed} |"


def main() -> int:
    head = [
        "# What the reference systems quote, and what is foretold",
        "",
        "By `python benchmarks/quoted_times.py`; nothing here was measured.",
        "",
    ]
    names = ["| row | recipe | card | quoted | foretold | assumed |", "|---|---|---|---|---|---|"]
    text = "\n".join([*head, *names, *map(line, QUOTES)]) + "\n"
    RESULT.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
