"""One tensor to NF4 in parts that fit a small memory; what bitsandbytes needs to read it again."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

import numpy as np

from lorewright.errors import LorewrightError
from lorewright.models.nf4.choose import Item
from lorewright.models.nf4.floats import BLOCK, Bytes, Floats, quantise
from lorewright.models.nf4.mxfp4 import quantise_experts
from lorewright.models.nf4.source import WIDTHS
from lorewright.models.nf4.statistics import BLOCK as BLOCK_OF_BLOCKS
from lorewright.models.nf4.statistics import Statistics, double_quantised

PART = 1 << 22  # values of a float tensor at a time
STATE = "quant_state.bitsandbytes__nf4"
Write = Callable[[int, Bytes], None]  # bytes from a place in the packed codes on


@dataclass(frozen=True)
class Part:
    """Values from begin up to end of the tensor, and what makes their codes."""

    begin: int
    end: int
    make: Callable[[], tuple[Bytes, Floats]]


def quantise_item(item: Item, write: Write, done: Callable[[int], None]) -> Statistics:
    """Writes the packed codes of one tensor part by part. done: told the values of each part. Raises LorewrightError naming the tensor."""
    magnitudes = np.empty(-(-item.values // BLOCK), np.float32)

    def work(part: Part) -> int:
        codes, largest = part.make()
        write(part.begin // 2, codes)
        magnitudes[part.begin // BLOCK : part.begin // BLOCK + largest.size] = largest
        return part.end - part.begin

    try:
        for values in _side_by_side(work, _parts(item)):
            done(values)
        return double_quantised(magnitudes)
    except LorewrightError as error:
        raise LorewrightError(f"{item.name}: {error.what}", where=str(item.stored.file), remedy=error.remedy) from None


def _side_by_side(work: Callable[[Part], int], parts: Iterator[Part]) -> Iterator[int]:
    """A thread for each processor, and no more parts in memory than threads."""
    threads = max(1, min(8, len(os.sched_getaffinity(0))))
    with ThreadPoolExecutor(threads) as pool:
        running: set[Future[int]] = {pool.submit(work, part) for part in islice(parts, threads)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()
                running |= {pool.submit(work, part) for part in islice(parts, 1)}


def _parts(item: Item) -> Iterator[Part]:
    return _experts(item) if item.kind == "mxfp4" else _floats(item)


def _experts(item: Item) -> Iterator[Part]:
    """One expert a part, or as many as fill whole blocks of 64."""
    experts, columns, rows = item.shape
    step = BLOCK // math.gcd(BLOCK, columns * rows)
    blocks, scales = item.stored, item.scales
    assert scales is not None
    for first in range(0, experts, step):
        last = min(first + step, experts)

        def make(first: int = first, last: int = last) -> tuple[Bytes, Floats]:
            of = {stored: stored.size // experts for stored in (blocks, scales)}
            codes, exponents = (
                stored.read(first * size, last * size).reshape(last - first, *stored.shape[1:]) for stored, size in of.items()
            )
            return quantise_experts(codes, exponents)

        yield Part(first * columns * rows, last * columns * rows, make)


def _floats(item: Item) -> Iterator[Part]:
    width = WIDTHS[item.stored.dtype]
    for begin in range(0, item.values, PART):
        end = min(begin + PART, item.values)

        def make(begin: int = begin, end: int = end) -> tuple[Bytes, Floats]:
            data = item.stored.read(begin * width, end * width)
            codes = np.empty(-(-(end - begin) // 2), np.uint8)
            magnitudes = np.empty(-(-(end - begin) // BLOCK), np.float32)
            for first in range(0, end - begin, CACHED):  # what the processor keeps near
                last = min(first + CACHED, end - begin)
                some = quantise(_single(data[first * width : last * width], item.stored.dtype))
                codes[first // 2 : first // 2 + some[0].size], magnitudes[first // BLOCK : first // BLOCK + some[1].size] = some
            return codes, magnitudes

        yield Part(begin, end, make)


CACHED = 1 << 16


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
