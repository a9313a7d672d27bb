"""A checkpoint's folder to NF4: shard by shard and tensor by tensor, continued where it was broken off.

Everything is made in OUTPUT.partial, which becomes OUTPUT at the end. There, `.work` keeps what a later run needs to go on: the plan that
it must match and each shard's journal.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lorewright import __version__
from lorewright.errors import BusyError, LorewrightError
from lorewright.manifest import digest, read_json, sync_folder, write_json
from lorewright.models.nf4.choose import Item, config_of, items_of
from lorewright.models.nf4.floats import VALUES, Floats
from lorewright.models.nf4.quantise import MANY, processes, quantise_item, shapes_of, state_of, statistics_of
from lorewright.models.nf4.shard import Shard
from lorewright.models.nf4.source import INDEX, WIDTHS, tensors_of
from lorewright.models.nf4.statistics import Statistics, dynamic_map
from lorewright.progress import Bar

SHARD = 5_000_000_000  # bytes
RECORD = "nf4.json"
WORK, PLAN = ".work", "plan.json"
COPY = 1 << 26  # bytes at a time
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json", ".h5", ".msgpack", ".onnx")


@dataclass(frozen=True)
class Converted:
    """What was done. continued: tensors that an earlier run had finished. values: weights that are NF4 now. size: bytes of the result."""

    tensors: int
    continued: int
    values: int
    size: int


def convert(source: Path, output: Path, bar: Bar, *, experts_only: bool = False, overwrite: bool = False) -> Converted:
    """source: a model's folder, bf16, fp16 or MXFP4. output: the folder to be made.

    Raises LorewrightError for what cannot be converted, for an output that stands there without overwrite, for a disk that is too small.
    """
    config_file = source / "config.json"
    config = read_json(config_file)
    if config is None:
        raise LorewrightError("has no config.json, so it is no model's folder", where=str(source))
    if output.exists() and not overwrite:
        raise LorewrightError("is there already", where=str(output), remedy="--overwrite makes it anew")
    items = items_of(tensors_of(source), experts_only=experts_only)
    new_config = config_of(config, items, config_file)
    partial = output.with_name(f"{output.name}.partial")
    with _alone(partial):
        plan = {"version": 1, "experts_only": experts_only, "source": digest(_seen(source, items))}
        _continue_or_clean(partial, plan)
        shards = _shards(items, partial)
        _check_room(shards, partial)
        with processes(sum(item.values for item in items)) as pool:
            continued = _write(shards, pool, bar)
        _finish(source, partial, shards, new_config, plan)
        _put(partial, output)
    return Converted(len(items), continued, sum(item.values for item in items if item.kind != "copy"), _size(output))


@contextlib.contextmanager
def _alone(partial: Path) -> Iterator[None]:
    """One conversion a folder; the lock goes with the process."""
    partial.mkdir(parents=True, exist_ok=True)
    handle = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BusyError("is being converted by another process", where=str(partial), remedy="wait for it") from None
    finally:
        os.close(handle)


def _seen(source: Path, items: list[Item]) -> list[tuple[str, int, int]]:
    """The source's files as they are now; one that changes makes what was begun worthless."""
    files = {stored.file for item in items for stored in (item.stored, item.scales) if stored} | {source / "config.json"}
    return sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


def _continue_or_clean(partial: Path, plan: dict[str, Any]) -> None:
    work = partial / WORK
    if read_json(work / PLAN) == plan:
        return
    for left in partial.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    work.mkdir()
    write_json(work / PLAN, plan)


def _shards(items: list[Item], partial: Path) -> list[Shard]:
    groups: list[list[Item]] = [[]]
    size = 0
    for item in items:
        if groups[-1] and size + _bytes(item) > SHARD:
            groups.append([])
            size = 0
        groups[-1].append(item)
        size += _bytes(item)
    names = [f"model-{number:05}-of-{len(groups):05}.safetensors" for number in range(1, len(groups) + 1)]
    return [Shard(partial / name, partial / WORK / f"{name}.jsonl", group) for name, group in zip(names, groups, strict=True)]


def _bytes(item: Item) -> int:
    return sum(int(np.prod(shape, dtype=np.int64)) * WIDTHS[dtype] for dtype, shape in shapes_of(item).values())


def _check_room(shards: list[Shard], partial: Path) -> None:
    wanted = sum(shard.end for shard in shards) - sum(file.stat().st_blocks * 512 for file in partial.iterdir())
    free = shutil.disk_usage(partial).free
    if wanted > free:
        text = f"{wanted / 1e9:.1f} GB are to be written and {free / 1e9:.1f} GB are free"
        raise LorewrightError(text, where=str(partial), remedy="make room, then run again")


def _write(shards: list[Shard], pool: Executor | None, bar: Bar) -> int:
    """All tensors that are not done yet. Returns how many were."""
    total = sum(item.values for shard in shards for item in shard.items)
    done, continued, fresh, begun = 0, 0, 0, time.monotonic()
    for shard in shards:
        with _opened(shard) as end:
            for item in shard.items:
                if item.name in shard.states:
                    done, continued = done + item.values, continued + 1
                    continue

                def went(values: int, name: str = item.name) -> None:
                    nonlocal done, fresh
                    done, fresh = done + values, fresh + values
                    speed = 2 * fresh / max(time.monotonic() - begun, 1e-3) / 1e9
                    bar(done, total, f"{name}, {speed:.2f} GB/s")

                end(item, _convert(item, shard, pool, went))
    return continued


@contextlib.contextmanager
def _opened(shard: Shard) -> Iterator[Callable[[Item, Floats | None], None]]:
    """The shard, finished where the block ends without an error.

    Gives what ends a tensor: that waits for the disk, so it goes on beside the next tensor's sums.
    """
    shard.open()
    ending: list[Future[None]] = []
    with contextlib.closing(shard), ThreadPoolExecutor(1) as beside:

        def end(item: Item, magnitudes: Floats | None) -> None:
            for earlier in ending:  # one at a time
                earlier.result()
            ending[:] = [beside.submit(_end, item, shard, magnitudes)]

        yield end
        for last in ending:
            last.result()
        shard.finish()


def _end(item: Item, shard: Shard, magnitudes: Floats | None) -> None:
    """What stands beside a tensor's codes, and the line that says that all of it is on disk."""
    if magnitudes is None:
        shard.done(item, None)
        return
    found = statistics_of(item, magnitudes)
    _write_statistics(item, shard, found)
    shard.done(item, state_of(item, found.offset))


def _convert(item: Item, shard: Shard, pool: Executor | None, went: Callable[[int], None]) -> Floats | None:
    """One tensor into its shard. Returns its blocks' magnitudes, None for what is only copied."""
    if item.kind == "copy":
        for begin in range(0, item.stored.size, COPY):
            end = min(begin + COPY, item.stored.size)
            shard.write(item.name, begin, item.stored.read(begin, end))
            went((end - begin) // WIDTHS[item.stored.dtype])
        return None
    return quantise_item(item, shard.file, shard.place(item.name), pool, went)


def _write_statistics(item: Item, shard: Shard, found: Statistics) -> None:
    parts = {"nested_absmax": found.absmax, "nested_quant_map": dynamic_map(), "quant_map": VALUES, "absmax": found.codes}
    for part, data in parts.items():
        shard.write(f"{item.name}.{part}", 0, np.ascontiguousarray(data).view(np.uint8))


def _finish(source: Path, partial: Path, shards: list[Shard], config: dict[str, Any], plan: dict[str, Any]) -> None:
    """What stands beside the weights: index, config, tokenizer, template, and where all of it is from."""
    weights = {name: shard.file.name for shard in shards for name in shard.names()}
    write_json(partial / INDEX, {"metadata": {"total_size": sum(shard.end for shard in shards)}, "weight_map": weights})
    for file in source.iterdir():
        if file.is_file() and not file.name.endswith(WEIGHTS) and not file.name.startswith("."):
            shutil.copyfile(file, partial / file.name)
    write_json(partial / "config.json", config)
    items = [item for shard in shards for item in shard.items]
    write_json(
        partial / RECORD,
        {
            "made_by": f"lorewright {__version__}", "source": str(source.absolute()),
            "as": "bitsandbytes NF4, blocks of 64, double quantisation",
            "plan": plan, "quantised": [item.name for item in items if item.kind != "copy"],
        },
    )  # fmt: skip


def _put(partial: Path, output: Path) -> None:
    """The folder under its name; one that stood there goes when the new one is in its place."""
    old = output.with_name(f"{output.name}.replaced")
    if output.exists():
        shutil.rmtree(old, ignore_errors=True)
        output.rename(old)
    partial.rename(output)
    sync_folder(output.parent)
    shutil.rmtree(output / WORK)
    shutil.rmtree(old, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def size_of(source: Path) -> int:
    """Bytes that the weights of a model's folder will take. Raises LorewrightError as `convert` does."""
    return sum(_bytes(item) for item in items_of(tensors_of(source), experts_only=False))


def said(done: Converted, seconds: float) -> str:
    """In words, for a person."""
    before = f", {done.continued} of them by an earlier run" if done.continued else ""
    speed = "" if done.continued or done.values < MANY else f", {2 * done.values / seconds / 1e9:.2f} GB/s of 16-bit weights"
    size = f"{done.size / 1e9:.2f} GB" if done.size >= 1e9 else f"{done.size / 1e6:.2f} MB"
    return f"{done.tensors} tensors{before}; {done.values:,} weights in NF4, {size}{speed}"
