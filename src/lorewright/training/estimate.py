"""How many steps a training has, and about how long it will take."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

# Share of a matrix product's speed that a LoRA training with gradient checkpointing reaches. On a GPU: 9,650 tokens/s of an 8B model with
# QLoRA and fused kernels on an H200, whose product of 8,192 reaches 791 TFLOP/s. On a processor: the quickstart's training of
# the starter model.
REACHED = {True: 0.59, False: 0.24}
OPERATIONS = 6  # for a parameter and a token: forward, forward again for the checkpoint, backward to the inputs


def steps(axolotl: Mapping[str, Any], samples: int, tokens: int, *, packed: bool, devices: int = 1) -> int:
    """Optimizer steps of the whole training, as Axolotl counts them. tokens: of all samples. packed: several samples share a window."""
    micro, gathered = int(axolotl.get("micro_batch_size") or 1), int(axolotl.get("gradient_accumulation_steps") or 1)
    windows = ceil(tokens / int(axolotl.get("sequence_len") or 512)) if packed else samples
    most = axolotl.get("max_steps")
    return int(most) if most else ceil(windows * float(axolotl.get("num_epochs") or 1) / (micro * gathered * devices))


def tokens_per_second(parameters: float, flops: float, *, gpu: bool) -> float:
    """parameters: that work on a token. flops: of a large matrix product on the device, a second. 0 where they are not known."""
    return flops * REACHED[gpu] / (OPERATIONS * parameters) if parameters else 0.0
