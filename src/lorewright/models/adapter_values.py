"""An adapter's values, looked through in pieces: one that is not a number spoils the model, and zeros alone change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lorewright.models.adapter import PREFIX, WEIGHTS, Adapter
from lorewright.models.weights import Tensor

# How a float is stored: (the integer of its size, the bits of its exponent, which are all set in infinity and what is no number).
FORMS: dict[str, tuple[str, int]] = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "BF16": ("<u2", 0x7F80),
    "F16": ("<u2", 0x7C00),
}
PIECE = 1 << 22  # values at a time


@dataclass(frozen=True)
class Values:
    """faults: why it cannot be merged. warnings: what a person should know."""

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def judge_values(adapter: Adapter) -> Values:
    """Reads the file of weights once."""
    bytes_of = np.memmap(adapter.folder / WEIGHTS, dtype=np.uint8, mode="r")
    spoilt, outer, still = [], 0, 0
    for name, tensor in adapter.tensors.items():
        if tensor.dtype not in FORMS:
            continue
        broken, zero = _look(bytes_of, tensor)
        spoilt += [name.removeprefix(PREFIX)] if broken else []
        if ".lora_B." in name:
            outer, still = outer + 1, still + zero
    said = f"{spoilt[0]}{f' and {len(spoilt) - 1} more tensors' if len(spoilt) > 1 else ''}" if spoilt else ""
    faults = (f"the adapter holds values that are no numbers, in {said}: its training had come apart",) if spoilt else ()
    unchanged = ("the adapter changes nothing: every lora_B is zero, as before the first step of a training",)
    return Values(faults, unchanged if outer and outer == still and not adapter.whole else ())


def _look(bytes_of: Any, tensor: Tensor) -> tuple[bool, bool]:
    """(whether a value is infinite or no number, whether all are zero)"""
    integer, exponent = FORMS[tensor.dtype]
    zero, step = True, PIECE * np.dtype(integer).itemsize
    for begin in range(tensor.begin, tensor.end, step):
        piece = np.frombuffer(bytes_of[begin : min(begin + step, tensor.end)].tobytes(), dtype=integer)
        masked = piece & exponent
        if (masked == exponent).any():
            return True, False
        zero = zero and not (piece << 1).any()  # without the sign
    return False, zero
