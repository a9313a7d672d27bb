"""NF4 of plain numbers: 64 at a time share their largest magnitude (QLoRA, https://arxiv.org/abs/2305.14314).

The steps are in single precision and in the order in which bitsandbytes takes them on a processor: one bit of rounding decides a code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lorewright.errors import LorewrightError

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

BLOCK = 64
TINY = np.float32(1e-38)  # bitsandbytes divides by no less
# NF4's 16 values: equally likely parts of a normal distribution, with 0 and ±1 among them.
VALUES = np.array(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495,
     0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
     0.7229568362236023, 1.0], dtype=np.float32,
)  # fmt: skip
BOUNDS = (VALUES[:-1] + VALUES[1:]) / np.float32(2)  # up to and with the bound is the lower code
ZERO = 7  # the code of 0.0


def codes_of(scaled: Floats) -> Bytes:
    """The code, 0 to 15, of every value between -1 and 1."""
    codes = np.zeros(scaled.shape, np.uint8)
    above = np.empty(scaled.shape, bool)
    for bound in BOUNDS:
        np.greater(scaled, bound, out=above)
        codes += above.view(np.uint8)
    return codes


def packed(codes: Bytes) -> Bytes:
    """Two codes a byte, the first in the upper half; an odd last one gets the code of zero beside it."""
    flat = codes.reshape(-1)
    if flat.size % 2:
        flat = np.append(flat, np.uint8(ZERO))
    return (flat[0::2] << np.uint8(4)) | flat[1::2]


def quantise(values: Floats) -> tuple[Bytes, Floats]:
    """values: any number of them, flat. Returns their packed codes and the largest magnitude of every 64.

    Raises LorewrightError for infinities and for what is no number.
    """
    full = values.size - values.size % BLOCK
    blocks, rest = values[:full].reshape(-1, BLOCK), values[full:]
    absmax = np.abs(blocks).max(axis=1)
    if rest.size:
        absmax = np.append(absmax, np.maximum(np.abs(rest).max(), TINY))
    if not np.isfinite(absmax).all():
        raise LorewrightError("holds infinities or values that are no numbers")
    inverse = np.float32(1) / np.maximum(absmax[: len(blocks)], TINY)
    codes = codes_of(blocks * inverse[:, None]).reshape(-1)
    if rest.size:  # divided, not multiplied by the inverse
        codes = np.concatenate([codes, codes_of(rest / absmax[-1])])
    return packed(codes), absmax
