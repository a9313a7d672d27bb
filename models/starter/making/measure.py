"""Bits per byte on texts the model never saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from making.prose import Tokens
from making.tokenizer import BOS_ID

Losses = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class HeldOut:
    """A text as tokens, and how many UTF-8 bytes it has."""

    tokens: Tokens
    size: int


def windows(tokens: Tokens, length: int, stride: int) -> Iterator[tuple[Tokens, Tokens]]:
    """(ids, targets) of windows that overlap: each token is a target once, with at least length − stride tokens before it where there are.

    The first token's context is <s>.
    """
    whole = np.concatenate([[BOS_ID], tokens]).astype(np.int64)
    done = 1
    while done < len(whole):
        end = min(done + stride, len(whole)) if done > 1 else min(length + 1, len(whole))
        start = max(0, end - 1 - length)
        targets = whole[start + 1 : end].copy()
        targets[: max(0, done - start - 1)] = -100
        yield whole[start : end - 1], targets
        done = end


def bits_per_byte(
    losses: Losses, texts: list[HeldOut], device: torch.device, *, length: int = 2048, stride: int = 1024, rows: int = 8
) -> float:
    """The sum of all losses in bits over all texts' bytes."""
    every = [pair for text in texts for pair in windows(text.tokens, length, stride)]
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(every), rows):
            ids = torch.zeros(rows, length, dtype=torch.int64)
            targets = torch.full((rows, length), -100)
            for row, (one, other) in enumerate(every[at : at + rows]):
                ids[row, : len(one)] = torch.from_numpy(one)
                targets[row, : len(other)] = torch.from_numpy(other)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                total += float(losses(ids.to(device), targets.to(device)).double().sum())
    return total / math.log(2) / sum(text.size for text in texts)
