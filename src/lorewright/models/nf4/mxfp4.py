"""NF4 of MXFP4 weights, as transformers lays them out in the model.

MXFP4 (OCP Microscaling 1.0): 32 values share a scale 2^(s - 127), each has a sign and one of 8 magnitudes; two a byte, the first one low.
A checkpoint keeps blocks [experts, rows, groups, 16] and scales [experts, rows, groups]; transformers' model keeps the transpose
[experts, 32 groups, rows], and bitsandbytes takes its blocks of 64 from that: 64 rows of one column, each with a scale of its own.

Every magnitude but zero is 1 or 1.5 times a power of two, so it is a number of half octaves, its level. A value's NF4 code follows from how
many levels it lies below the largest of its block, from its sign, and from whether that largest is a 1 or a 1.5: a table of 64, no floats.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from lorewright.models.nf4.floats import BLOCK, ZERO, Bytes, Floats, codes_of, quantise

MAGNITUDES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0], np.float32)
FLOOR = 16  # the level of the smallest value in a block of rows; from 10 levels below the largest on every code is zero's
LAST = 15  # levels below the largest that the table tells apart
LOWEST, HIGHEST = 3, 252  # scales between which no value is subnormal, infinite, or below what bitsandbytes divides by
TALL, WIDE = 576, 30  # rows and groups of a tile, which stays in a processor's own cache
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
    rooms: dict[tuple[int, int], Room] = {}
    for expert, row, group in product(range(experts), range(0, rows, TALL), range(0, groups, WIDE)):
        here = (expert, slice(row, row + TALL), slice(group, group + WIDE))
        tall, wide = scales[here].shape
        if (tall, wide) not in rooms:
            rooms[tall, wide] = Room(tall, wide * 16)
        columns = slice(group * 16, (group + wide) * 16)
        into = codes[expert, columns, :, row // 2 : (row + tall) // 2]
        largest = absmax[expert, columns, :, row // BLOCK : (row + tall) // BLOCK]
        _quantise_tile(blocks[here], scales[here], into, largest, rooms[tall, wide])
    return codes.reshape(-1), absmax.reshape(-1)


class Room:
    """Arrays that are used again for every tile: memory fetched anew costs more than the sums. tall: rows; wide: columns, two a byte."""

    def __init__(self, tall: int, wide: int) -> None:
        self.nibbles, self.levels, self.magnitudes = (np.empty((tall, wide), np.uint8) for _ in range(3))
        self.truth = np.empty((tall, wide), bool)
        self.floor = np.empty((tall, wide // 16, 16), np.uint8)
        self.last = np.full((tall // BLOCK, BLOCK, wide), LAST, np.uint8)
        self.both = np.empty((tall // 2, wide), np.uint16)
        self.codes = np.empty((tall // 2, wide), np.uint8)


def _quantise_tile(blocks: Bytes, scales: Bytes, codes: Bytes, absmax: Floats, room: Room) -> None:
    """A multiple of 64 rows. codes: [16 groups, 2, rows / 2] and absmax: [16 groups, 2, rows / 64], to be filled."""
    lowest, highest = int(scales.min()), int(scales.max())
    if lowest < LOWEST or highest > HIGHEST or highest - lowest > SPREAD:
        plain, largest = quantise(dequantised(blocks, scales).reshape(-1))
        codes[...] = plain.reshape(codes.shape)
        absmax[...] = largest.reshape(absmax.shape)
        return
    flat = blocks.reshape(room.nibbles.shape)
    room.floor[...] = ((scales - np.uint8(lowest)) * np.uint8(2) + np.uint8(FLOOR))[..., None]
    for half in (0, 1):
        if half:
            np.right_shift(flat, np.uint8(4), out=room.nibbles)
        else:
            np.bitwise_and(flat, np.uint8(15), out=room.nibbles)
        _levels(room)
        by_block = room.levels.reshape(room.last.shape)
        top = by_block.max(axis=1)
        absmax[:, half] = np.where(top, _magnitude(top, lowest), np.float32(0)).T
        np.maximum(top, np.uint8(FLOOR), out=top)  # a block of zeros: all lie far below it
        _pairs(room, by_block, top)
        codes[:, half] = room.codes.T


def _levels(room: Room) -> None:
    """Magnitudes in half octaves from the floor of their scale; 0 for zero. 0.5 is the floor, 1 lies two above it, 1.5 three, 2 four …"""
    np.bitwise_and(room.nibbles, np.uint8(7), out=room.magnitudes)
    np.equal(room.magnitudes, np.uint8(1), out=room.truth)
    np.subtract(room.magnitudes, room.truth.view(np.uint8), out=room.levels)
    room.levels += room.floor.reshape(room.levels.shape)
    np.not_equal(room.magnitudes, np.uint8(0), out=room.truth)
    room.levels *= room.truth.view(np.uint8)


def _magnitude(top: Bytes, lowest: int) -> Floats:
    above = top.astype(np.int32) - FLOOR
    found: Floats = np.ldexp(np.float32(1) + np.float32(0.5) * (above & 1).astype(np.float32), above // 2 - 1 + lowest - 127)
    return found


def _pairs(room: Room, levels: Bytes, top: Bytes) -> None:
    """Packed codes of the room: two rows share a byte, and one look into a table of both. levels: [rows / 64, 64, columns], used up."""
    np.subtract(top[:, None], levels, out=levels)
    np.minimum(levels, room.last, out=levels)
    room.nibbles &= np.uint8(8)
    room.nibbles += room.nibbles
    room.levels |= room.nibbles
    levels |= ((top & np.uint8(1)) << np.uint8(5))[:, None]
    np.multiply(room.levels[0::2], np.uint16(64), out=room.both)
    room.both |= room.levels[1::2]
    np.take(PAIRS, room.both, out=room.codes, mode="clip")


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
