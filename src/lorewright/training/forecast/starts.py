"""How many kernels a layer starts: what the processor does for a micro-batch takes as long, however few tokens it has.

Counted from the same sources as layer.py. A quantised matrix is unpacked by three kernels (its scales, their offset, itself).
"""

from __future__ import annotations

from math import ceil

from lorewright.training.forecast.settings import Settings
from lorewright.training.forecast.shape import Shape

# Seconds for one, with Python and autograd around it, on an H200's machine with a server's processor: set between two trainings that it
# bounds (Llama-3.1-8B in micro-batches of 1: 339 ms with 2,048 tokens, 337 ms with 1,024). Fused functions are written in Python.
START = 3.8e-5
# The same for PyTorch's own operations: what is left of a plain training of Qwen3-4B would allow up to 2.9e-5.
PLAIN_START = 2.3e-5
# One of the pieces in which Liger takes the loss: two products, its kernel and the slices around them.
PIECE = 3e-4
OTHER = 8  # views, copies and checks of a layer that are no kernels of their own
EXPERTS = 30  # sorting tokens to experts, the grouped products and adding their results up


def starting_seconds(shape: Shape, settings: Settings, tokens: int) -> float:
    """What the processor does for a micro-batch of so many tokens."""
    forward, backward = starts(shape, settings)
    layers = shape.layers * ((2 if settings.checkpointing else 1) * forward + backward)
    pieces = ceil(tokens / piece_of(shape, tokens)) if settings.loss == "liger" else 0
    return layers * (START if settings.kernels else PLAIN_START) + pieces * PIECE


def piece_of(shape: Shape, tokens: int) -> int:
    """Tokens whose scores Liger's loss has at once: as many as take the room of the hidden states, the next power of two."""
    return min(tokens, 1 << (ceil(tokens / ceil(shape.vocabulary / shape.hidden)) - 1).bit_length())


def starts(shape: Shape, settings: Settings) -> tuple[int, int]:
    """(forward, backward) of one layer."""
    forward, backward = _linears(shape, settings)
    norms = 2 + (2 if shape.head_norms else 0)
    once, again = (1, 1) if settings.norm_kernel else (6, 11)
    rope = (2, 2) if settings.rope_kernel else (10, 12)
    attention = (8, 12) if settings.attention == "eager" else (2, 2)
    glu = 1 if settings.glu_kernel or "mlp" in settings.kernels else 2
    residuals = 2
    experts = EXPERTS + (6 if settings.experts_quantised else 0) if shape.experts else 0
    forward += norms * once + rope[0] + attention[0] + glu + residuals + experts + OTHER
    backward += norms * again + rope[1] + attention[1] + glu + residuals + 2 * experts + OTHER
    return forward, backward


def _linears(shape: Shape, settings: Settings) -> tuple[int, int]:
    """An adapted matrix: itself, two casts of the adapter and its two products; backward three products more. PEFT's own way casts the
    input too, and scales and adds with kernels of their own."""
    unpack = 3 if settings.bits == 4 else 4 if settings.bits == 8 else 0
    adapted = len(settings.adapted(shape))
    plain = len(shape.linears) - adapted
    apart = 0 if settings.kernels else adapted
    dropped = (len(settings.kernels) or adapted) if settings.dropout else 0
    forward = adapted * (5 + unpack) + plain * (1 + unpack) + 5 * apart + dropped
    backward = adapted * (6 + unpack) + plain * (1 + unpack) + 8 * apart + dropped
    return forward, backward
