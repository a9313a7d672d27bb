"""The magnitudes of NF4 blocks, quantised once more to eight bits (QLoRA's double quantisation), as bitsandbytes does it on a processor.

On a GPU bitsandbytes looks for the nearest of the 256 values; on a processor it first rounds to a grid of 65,536 steps, and so does this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from lorewright.errors import LorewrightError
from lorewright.models.nf4.floats import Bytes, Floats

BLOCK = 256
STEPS = 65536


@dataclass(frozen=True)
class Statistics:
    """codes: one byte a block of weights. absmax: the largest distance from the offset of every 256. offset: the mean of all magnitudes."""

    codes: Bytes
    absmax: Floats
    offset: np.float32


def double_quantised(magnitudes: Floats) -> Statistics:
    """magnitudes: those of one tensor's blocks, in order. Raises LorewrightError when their sum overflows."""
    offset = _mean(magnitudes)
    if not np.isfinite(offset):
        raise LorewrightError("its values are too large to be added up")
    rest = magnitudes - offset
    count = -(-rest.size // BLOCK)
    blocks = np.zeros((count, BLOCK), np.float32)
    blocks.reshape(-1)[: rest.size] = rest
    largest = np.abs(blocks).max(axis=1)
    with np.errstate(divide="ignore"):
        inverse = np.where(largest > 0, np.float32(1) / largest, np.float32(0))
    scaled = np.clip(blocks * inverse[:, None], np.float32(-1), np.float32(1))
    steps = ((scaled + np.float32(1)) * np.float32(0.5) * np.float32(STEPS - 1) + np.float32(0.5)).astype(np.uint16)
    codes = np.where((largest == 0)[:, None], np.uint8(0), _nearest()[steps])
    return Statistics(codes.reshape(-1)[: rest.size].astype(np.uint8), largest, offset)


def _mean(values: Floats) -> np.float32:
    """As torch sums on one thread: the order of a sum of millions of floats decides its last bit."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return np.float32(torch.from_numpy(values).mean().item())
    finally:
        torch.set_num_threads(threads)


@cache
def dynamic_map() -> Floats:
    """The 256 values of the 8-bit dynamic type (https://arxiv.org/abs/1511.04561): seven decades, each twice as fine."""
    import torch

    parts = [torch.tensor([0.0, 1.0])]
    for decade in range(7):
        edges = torch.linspace(0.1, 1, 2**decade + 1, dtype=torch.float32)
        middles = 10 ** (decade - 6) * ((edges[:-1] + edges[1:]) / 2.0)
        parts += [middles, -middles]
    return np.sort(torch.cat(parts).numpy())


@cache
def _nearest() -> Bytes:
    """The nearest of the 256 values for every step of the grid from -1 to 1; from the middle between two on it is the lower one."""
    values = dynamic_map()
    middles = np.float32(0.5) * (values[:-1] + values[1:])
    grid = np.float32(-1) + (np.float32(2) * np.arange(STEPS, dtype=np.float32)) / np.float32(STEPS - 1)
    return np.searchsorted(middles, grid, side="left").astype(np.uint8)
