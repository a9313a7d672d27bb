"""One tensor to NF4 in parts that fit a small memory; what bitsandbytes needs to read it again."""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from lorewright.errors import LorewrightError
from lorewright.models.nf4.choose import Item
from lorewright.models.nf4.floats import BLOCK, Bytes, Floats, quantise
from lorewright.models.nf4.mxfp4 import quantise_experts
from lorewright.models.nf4.source import WIDTHS, Stored
from lorewright.models.nf4.statistics import BLOCK as BLOCK_OF_BLOCKS
from lorewright.models.nf4.statistics import Statistics, double_quantised

PART = 1 << 22  # values of a float tensor at a time
CACHED = 1 << 16  # values that a processor keeps near
MANY = 50_000_000  # values of a model from which on processes are worth their start
AHEAD = 2  # parts a process that are given out
STATE = "quant_state.bitsandbytes__nf4"


@dataclass(frozen=True)
class Part:
    """Values from begin up to end of a tensor. file, place: where the first byte of the tensor's codes goes."""

    item: Item
    begin: int
    end: int
    file: Path
    place: int


def quantise_item(item: Item, file: Path, place: int, pool: Executor | None, done: Callable[[int], None]) -> Floats:
    """Writes the packed codes of one tensor from byte `place` of a file on, part by part, and returns the magnitudes of its blocks.

    done: told the values of each part.
    pool: of processes, two parts each at a time; None computes here. Raises LorewrightError naming the tensor.
    """
    magnitudes = np.empty(-(-item.values // BLOCK), np.float32)
    try:
        for begin, end, largest in _side_by_side(pool, (Part(item, *part, file, place) for part in _parts(item))):
            magnitudes[begin // BLOCK : begin // BLOCK + largest.size] = largest
            done(end - begin)
    except LorewrightError as error:
        raise _of(item, error) from None
    return magnitudes


def statistics_of(item: Item, magnitudes: Floats) -> Statistics:
    """The magnitudes quantised once more. Raises LorewrightError naming the tensor."""
    try:
        return double_quantised(magnitudes)
    except LorewrightError as error:
        raise _of(item, error) from None


def _of(item: Item, error: LorewrightError) -> LorewrightError:
    return LorewrightError(f"{item.name}: {error.what}", where=str(item.stored.file), remedy=error.remedy)


@contextlib.contextmanager
def processes(values: int) -> Iterator[Executor | None]:
    """A process for each processor; threads would wait for each other between numpy's short sums. None for a small model."""
    count = min(8, len(os.sched_getaffinity(0)))
    if values < MANY or count < 2:
        yield None
        return
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_follow)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _follow() -> None:
    """A worker leaves Ctrl-C to its parent, and dies with it however that ends (Linux)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


Done = tuple[int, int, Floats]


def _side_by_side(pool: Executor | None, parts: Iterator[Part]) -> Iterator[Done]:
    if pool is None:
        yield from map(_work, parts)
        return
    running: set[Future[Done]] = {pool.submit(_work, part) for part in islice(parts, AHEAD * (os.cpu_count() or 1))}
    while running:
        ended, running = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            yield future.result()
            running |= {pool.submit(_work, part) for part in islice(parts, 1)}


def _work(part: Part) -> Done:
    codes, largest = _experts(part) if part.item.kind == "mxfp4" else _floats(part)
    with open(part.file, "r+b", buffering=0) as file:
        view, place = codes.data, part.place + part.begin // 2
        while view:
            written = os.pwrite(file.fileno(), view, place)
            view, place = view[written:], place + written
    return part.begin, part.end, largest


def _parts(item: Item) -> Iterator[tuple[int, int]]:
    """Of MXFP4 one expert a part, or two where only they fill whole blocks of 64."""
    step = PART
    if item.kind == "mxfp4":
        expert = item.shape[1] * item.shape[2]
        step = expert * (BLOCK // math.gcd(BLOCK, expert))
    for begin in range(0, item.values, step):
        yield begin, min(begin + step, item.values)


def _experts(part: Part) -> tuple[Bytes, Floats]:
    experts, columns, rows = part.item.shape
    first, last = part.begin // (columns * rows), part.end // (columns * rows)
    assert part.item.scales is not None

    def read(stored: Stored) -> Bytes:
        size = stored.size // experts
        return stored.read(first * size, last * size).reshape(last - first, *stored.shape[1:])

    return quantise_experts(read(part.item.stored), read(part.item.scales))


def _floats(part: Part) -> tuple[Bytes, Floats]:
    stored, count = part.item.stored, part.end - part.begin
    width = WIDTHS[stored.dtype]
    data = stored.read(part.begin * width, part.end * width)
    codes = np.empty(-(-count // 2), np.uint8)
    magnitudes = np.empty(-(-count // BLOCK), np.float32)
    for first in range(0, count, CACHED):
        some, largest = quantise(_single(data[first * width : (first + CACHED) * width], stored.dtype))
        codes[first // 2 : first // 2 + some.size] = some
        magnitudes[first // BLOCK : first // BLOCK + largest.size] = largest
    return codes, magnitudes


def _single(data: Bytes, dtype: str) -> Floats:
    """Single precision of stored floats. bf16 is its upper half."""
    if dtype == "BF16":
        return (data.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return data.view(np.float16 if dtype == "F16" else np.float32).astype(np.float32)


def shapes_of(item: Item) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Names, types and shapes of what is written for a tensor, but for the state, whose length is known only afterwards."""
    if item.kind == "copy":
        return {item.name: (item.stored.dtype, item.shape)}
    blocks = -(-item.values // BLOCK)
    return {
        f"{item.name}.nested_absmax": ("F32", (-(-blocks // BLOCK_OF_BLOCKS),)),
        f"{item.name}.nested_quant_map": ("F32", (256,)),
        f"{item.name}.quant_map": ("F32", (16,)),
        item.name: ("U8", (-(-item.values // 2), 1)),
        f"{item.name}.absmax": ("U8", (blocks,)),
    }


def state_of(item: Item, offset: np.float32) -> str:
    """What bitsandbytes keeps as JSON beside a tensor (QuantState.as_dict)."""
    return json.dumps(
        {
            "quant_type": "nf4", "blocksize": BLOCK, "dtype": item.dtype, "shape": list(item.shape), "nested_blocksize": BLOCK_OF_BLOCKS,
            "nested_dtype": "float32", "nested_offset": offset.item(),
        }
    )  # fmt: skip
