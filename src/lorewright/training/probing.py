"""A probe: the recipe's own length and batch for a few steps, on the longest examples of its set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from lorewright.data.ledger import samples
from lorewright.errors import LorewrightError
from lorewright.training.forecast.settings import of_fsdp
from lorewright.training.render import SHARED_OUT
from lorewright.training.several import whole_step

STEPS = 5  # the first prepares kernels
GATHERED = 2  # micro-batches a step: at the second one the gradients of the first are there
# What decides how often it evaluates and saves is set here, and nothing of a probe leaves the machine.
LEFT_OUT = (
    "evals_per_epoch", "eval_strategy", "saves_per_epoch", "save_steps", "save_strategy", "early_stopping_patience",
    "load_best_model_at_end", "hub_model_id", "use_wandb", "wandb_project", "use_tensorboard", "max_steps", "num_epochs", "batch_size",
)  # fmt: skip
ALLOCATED = "memory/max_allocated (GiB)"


@dataclass(frozen=True)
class Probed:
    """peak: bytes in PyTorch's count, None on a processor. step: seconds of one of the probe's steps. lengths: of the examples it took."""

    peak: float | None
    step: float
    lengths: Mapping[int, int]


def longest(ledger: Path, split: str, number: int) -> list[tuple[int, int]]:
    """(line, tokens) of so many examples, the longest first; again from the beginning where there are fewer.

    ledger: the ledger's samples.jsonl. Raises LorewrightError when no example of this side is trained on.
    """
    kept = [(one["line"], one["tokens"]) for one in samples(ledger) if one["split"] == split and one["fate"] in ("kept", "truncated")]
    if not kept:
        raise LorewrightError(f"the set has no examples for {split}", where=str(ledger))
    ordered = sorted(kept, key=lambda pair: -pair[1])
    return [ordered[place % len(ordered)] for place in range(number)]


def rows(lines: Sequence[str], chosen: Iterable[tuple[int, int]]) -> str:
    """The text of a JSONL file with the chosen lines (counted from 1)."""
    return "".join(f"{lines[number - 1].rstrip()}\n" for number, _ in chosen)


def wanted(config: Mapping[str, Any]) -> int:
    """Examples that all steps take. Where several share a window, as many again as may be needed to fill it."""
    micro, gathered = int(config.get("micro_batch_size") or 1), gathered_of(config)
    return STEPS * micro * gathered * (8 if config.get("sample_packing") else 1)


def gathered_of(config: Mapping[str, Any]) -> int:
    return min(GATHERED, whole_step(config)[1])


def probe_config(config: Mapping[str, Any], training: str, validation: str | None) -> dict[str, Any]:
    """The same length, batch, model and kernels on one card; a few steps, and an evaluation before and after them where the recipe
    evaluates."""
    evaluates = validation and any(config.get(key) for key in ("evals_per_epoch", "eval_steps", "eval_strategy"))
    small = {key: value for key, value in config.items() if key not in (*LEFT_OUT, *SHARED_OUT) and key != "test_datasets"}
    small |= {
        "datasets": [entry | {"path": training} for entry in config["datasets"]], "gradient_accumulation_steps": gathered_of(config),
        "max_steps": STEPS, "num_epochs": 1, "logging_steps": 1, "save_strategy": "no", "auto_resume_from_checkpoints": False,
    }  # fmt: skip
    if of_fsdp(config, "activation_checkpointing"):
        small["gradient_checkpointing"] = True
    small.pop("eval_steps", None)
    if evaluates:
        small |= {"eval_steps": STEPS, "test_datasets": [entry | {"path": validation} for entry in config["test_datasets"]]}
    return small


def read_probe(points: Sequence[Mapping[str, float]], lengths: Mapping[int, int]) -> Probed:
    """points: what Axolotl logged, with the second of each (`at`). Raises LorewrightError when there were too few steps."""
    times = [point["at"] for point in points if "loss" in point]
    if len(times) < 3:
        raise LorewrightError(f"the probe logged {len(times)} steps, which are too few to measure", remedy="look at its log")
    peak = max((point.get(ALLOCATED, 0.0) for point in points), default=0.0) * 2**30
    return Probed(peak or None, median(after - before for before, after in pairwise(times)), lengths)


def line_counts(chosen: Iterable[tuple[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for _, tokens in chosen:
        found[tokens] = found.get(tokens, 0) + 1
    return found
