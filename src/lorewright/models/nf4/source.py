"""Where the tensors of a checkpoint lie: read from the headers of its safetensors files, never the weights themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from lorewright.errors import LorewrightError
from lorewright.models import weights
from lorewright.models.nf4.floats import Bytes

INDEX = "model.safetensors.index.json"
WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "I16": 2, "U8": 1, "I8": 1, "BOOL": 1}  # bytes a value
AGAIN = "fetch the model again"


@dataclass(frozen=True)
class Stored:
    """A tensor of a file. begin: its first byte in the file."""

    name: str
    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int

    @property
    def values(self) -> int:
        return prod(self.shape)

    @property
    def size(self) -> int:
        return self.values * WIDTHS[self.dtype]

    def read(self, begin: int, end: int) -> Bytes:
        """Bytes from begin up to end of the tensor."""
        data = np.empty(end - begin, np.uint8)
        with open(self.file, "rb", buffering=0) as file:
            file.seek(self.begin + begin)
            view, done = data.data, 0
            while done < len(view):
                got = file.readinto(view[done:])
                if not got:
                    raise LorewrightError("the file has become shorter", where=str(self.file), remedy=AGAIN)
                done += got
        return data


def tensors_of(folder: Path) -> list[Stored]:
    """All tensors of a model's folder, in the order of its files. Raises LorewrightError for missing, cut or odd files."""
    found: dict[str, Stored] = {}
    for file in _files(folder):
        for stored in _in_file(file):
            found[stored.name] = stored
    index = folder / INDEX
    wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"]) if index.is_file() else set()
    if missing := sorted(wanted - set(found)):
        raise LorewrightError(
            f"{len(missing)} tensors of the index are in no file, {missing[0]} among them", where=str(index), remedy=AGAIN
        )
    return list(found.values())


def _files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.is_file():
        files = [folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]
    else:
        files = [folder / "model.safetensors"]
    for file in files:
        if not file.is_file():
            raise LorewrightError(
                "there is no such file of weights", where=str(file), remedy="give a folder with model.safetensors or its parts"
            )
    return files


def _in_file(file: Path) -> list[Stored]:
    found, fault = weights.tensors_of(file)
    if fault:
        raise LorewrightError(fault, where=str(file), remedy=AGAIN)
    for name, tensor in found.items():
        if tensor.dtype not in WIDTHS:
            raise LorewrightError(f"{name} is of the type {tensor.dtype}, which cannot be converted", where=str(file))
    stored = [Stored(name, file, tensor.dtype, tensor.shape, tensor.begin) for name, tensor in found.items()]
    return sorted(stored, key=lambda tensor: tensor.begin)
