"""A file of weights without its weights: the header says what is in it, and how long the file must be.

safetensors: 8 bytes with the header's length, the header as JSON (name -> dtype, shape, data_offsets), then the data
(https://huggingface.co/docs/safetensors). A copy that was broken off is shorter than its header says.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

LONGEST = 100_000_000  # bytes of a header; the format allows no more
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Tensor:
    """dtype: safetensors' name, such as BF16. begin, end: where its bytes lie in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Weights:
    """bytes: as stored. shapes: of every tensor by its name; empty for formats that do not tell. faults: what is wrong, in words."""

    bytes: int = 0
    largest: int = 0
    shapes: Shapes = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        return sum(map(prod, self.shapes.values()))


def weights_of(folder: Path) -> Weights:
    """All weights of a model's folder: by its index, else a single file. Reads headers alone."""
    names, faults = _names(folder)
    found = Shapes()
    sizes = []
    for name in names:
        file = folder / name
        if not file.is_file():  # also a link of the hub's cache that leads nowhere
            faults.append(f"{name} is missing")
            continue
        sizes.append(file.stat().st_size)
        shapes, fault = _safetensors(file) if file.suffix == ".safetensors" else _torch(file)
        found |= shapes
        faults += [f"{name} {fault}"] if fault else []
    return Weights(sum(sizes), max(sizes, default=0), found, tuple(faults))


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """(files that hold the weights, what is wrong with the index)"""
    for kind in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{kind}.index.json"
        if index.is_file():
            try:
                return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())), []
            except (ValueError, KeyError, TypeError, AttributeError):
                return [], [f"{index.name} cannot be read"]
        if (folder / kind).is_file():
            return [kind], []
    return [], ["there are no weights (model.safetensors, or an index with its parts)"]


def _safetensors(file: Path) -> tuple[Shapes, str]:
    tensors, fault = tensors_of(file)
    return {name: tensor.shape for name, tensor in tensors.items()} if not fault else {}, fault


def tensors_of(file: Path) -> tuple[dict[str, Tensor], str]:
    """(the tensors of a safetensors file by their names, what is wrong with it in words or ""); of the file the header alone is read."""
    size = file.stat().st_size
    if size < 8:
        return {}, f"has {size} bytes and is no file of weights"
    try:
        with open(file, "rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header: dict[str, Any] = json.loads(opened.read(length) if length < LONGEST else b"")
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        begin = 8 + length
        found = {
            name: Tensor(entry["dtype"], tuple(entry["shape"]), begin + entry["data_offsets"][0], begin + entry["data_offsets"][1])
            for name, entry in entries.items()
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}, "is no file of weights, or was cut off in its header"
    end = max((tensor.end for tensor in found.values()), default=begin)
    return found, "" if size == end else f"has {size:,} bytes, and its header says {end:,}"


def _torch(file: Path) -> tuple[Shapes, str]:
    return {}, "" if zipfile.is_zipfile(file) else "was cut off"  # its list of contents stands at the end
