"""NF4 of MXFP4 weights, as transformers lays them out in the model.

MXFP4 (OCP Microscaling 1.0): 32 values share a scale 2^(s - 127), each has a sign and one of 8 magnitudes; two a byte, the first one low.
A checkpoint keeps blocks [experts, rows, groups, 16] and scales [experts, rows, groups]; transformers' model keeps the transpose
[experts, 32 groups, rows], and bitsandbytes takes its blocks of 64 from that: 64 rows of one column, each with a scale of its own.

Every magnitude but zero is 1 or 1.5 times a power of two, so it is a number of half octaves, its level. A value's NF4 code follows from how
many levels it lies below the largest of its block, from its sign, and from whether that largest is a 1 or a 1.5: a table of 64, no floats.
"""

from __future__ import annotations

import numpy as np

from lorewright.models.nf4.floats import BLOCK, ZERO, Bytes, Floats, codes_of, quantise

MAGNITUDES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0], np.float32)
FLOOR = 16  # the level of the smallest value in a block of rows; from 10 levels below the largest on every code is zero's
LAST = 15  # levels below the largest that the table tells apart
LOWEST, HIGHEST = 3, 252  # scales between which no value is subnormal, infinite, or below what bitsandbytes divides by
SPREAD = (255 - FLOOR - 7) // 2  # powers of two that levels of eight bits span


def dequantised(blocks: Bytes, scales: Bytes) -> Floats:
    """[rows, groups, 16] and [rows, groups] as the model has them: [32 groups, rows]. Every value is one that bf16 holds exactly."""
    signed = np.concatenate([MAGNITUDES, -MAGNITUDES])
    values = np.stack([signed[blocks & 15], signed[blocks >> 4]], axis=-1).reshape(*scales.shape, 32)
    with np.errstate(over="ignore", invalid="ignore"):  # a scale that is too large makes what quantise refuses
        values *= np.ldexp(np.float32(1), scales.astype(np.int32) - 127)[..., None]
    return np.ascontiguousarray(values.reshape(scales.shape[0], -1).T)


def quantise_experts(blocks: Bytes, scales: Bytes) -> tuple[Bytes, Floats]:
    """NF4 of whole experts. blocks: [experts, rows, groups, 16]. scales: [experts, rows, groups].

    Returns packed codes and magnitudes in the model's order. Raises LorewrightError for values that are not finite.
    """
    experts, rows, groups = scales.shape
    if rows % BLOCK:
        return quantise(np.concatenate([dequantised(*expert).reshape(-1) for expert in zip(blocks, scales, strict=True)]))
    codes = np.empty((experts, groups * 16, 2, rows // 2), np.uint8)  # by column (two a byte) and pair of rows
    absmax = np.empty((experts, groups * 16, 2, rows // BLOCK), np.float32)
    for expert in range(experts):
        for number, row in enumerate(range(0, rows, BLOCK)):
            here = (expert, slice(row, row + BLOCK))
            half = slice(row // 2, (row + BLOCK) // 2)
            _quantise_rows(blocks[here], scales[here], codes[expert, ..., half], absmax[expert, ..., number])
    return codes.reshape(-1), absmax.reshape(-1)


def _quantise_rows(blocks: Bytes, scales: Bytes, codes: Bytes, absmax: Floats) -> None:
    """64 rows. codes: [16 groups, 2, 32] and absmax: [16 groups, 2], to be filled."""
    lowest, highest = int(scales.min()), int(scales.max())
    if lowest < LOWEST or highest > HIGHEST or highest - lowest > SPREAD:
        plain, largest = quantise(dequantised(blocks, scales).reshape(-1))
        codes[...] = plain.reshape(codes.shape)
        absmax[...] = largest.reshape(absmax.shape)
        return
    flat = blocks.reshape(BLOCK, -1)
    floor = np.repeat((scales - np.uint8(lowest)) * np.uint8(2) + np.uint8(FLOOR), 16, axis=1)
    for half, nibbles in enumerate((flat & np.uint8(15), flat >> np.uint8(4))):
        levels = _levels(nibbles, floor)
        top = np.maximum(levels.max(axis=0), np.uint8(FLOOR))  # a block of zeros: all lie far below it
        codes[:, half] = _pairs(nibbles, levels, top).T
        absmax[:, half] = np.where(levels.any(axis=0), _magnitude(top, lowest), np.float32(0))


def _levels(nibbles: Bytes, floor: Bytes) -> Bytes:
    """Magnitudes in half octaves from the floor of their scale; 0 for zero. 0.5 is the floor, 1 lies two above it, 1.5 three, 2 four …"""
    magnitudes = nibbles & np.uint8(7)
    levels: Bytes = magnitudes - (magnitudes == 1).view(np.uint8)
    levels += floor
    levels *= (magnitudes != 0).view(np.uint8)
    return levels


def _magnitude(top: Bytes, lowest: int) -> Floats:
    above = top.astype(np.int32) - FLOOR
    found: Floats = np.ldexp(np.float32(1) + np.float32(0.5) * (above & 1).astype(np.float32), above // 2 - 1 + lowest - 127)
    return found


def _pairs(nibbles: Bytes, levels: Bytes, top: Bytes) -> Bytes:
    """[64, columns] to packed codes [32, columns]: two rows share a byte, and one look into a table of both."""
    places = np.minimum(top - levels, np.full_like(top, LAST))
    places |= (nibbles & np.uint8(8)) << np.uint8(1)
    places |= (top & np.uint8(1)) << np.uint8(5)
    both = places[0::2].astype(np.uint16) << np.uint16(6)
    both |= places[1::2]
    codes: Bytes = np.take(PAIRS, both)
    return codes


def _table() -> Bytes:
    """The NF4 code by (largest is a 1.5, negative, levels below the largest)."""
    places = np.arange(64)
    below, negative, one_and_half = places & 15, places >> 4 & 1, places >> 5
    largest = np.where(one_and_half, np.float32(1.5), np.float32(1))
    level = one_and_half - below  # in half octaves from 1.0
    value = np.ldexp(np.where(level & 1, np.float32(1.5), np.float32(1)), level >> 1)
    codes = codes_of(np.where(negative, -value, value) * (np.float32(1) / largest))
    return np.where(below == LAST, np.uint8(ZERO), codes)


PAIRS: Bytes = (np.repeat(_table() << np.uint8(4), 64) | np.tile(_table(), 64)).astype(np.uint8)
