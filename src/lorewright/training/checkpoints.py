"""Tells a whole checkpoint from one that was cut off, by what its files hold: nothing is loaded and no torch is needed.

A checkpoint is weights, optimizer, scheduler, random states and the trainer's own state. The trainer goes on without some of them
and says nothing, so that another training would come of it: all must be there, and none cut short.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

STATE = "trainer_state.json"
# What belongs to a checkpoint, by any of the names it can have; the folders are DeepSpeed's and FSDP's.
PARTS = {
    STATE: (STATE,),
    "the weights": ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin", "pytorch_model_fsdp*", "global_step*"),
    "optimizer.pt": ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*"),
    "scheduler.pt": ("scheduler.pt", "global_step*"),
    "rng_state.pth": ("rng_state*.pth",),
}
ONLY_TO_GO_ON = ("optimizer.pt", "optimizer.bin", "optimizer_*", "scheduler.pt", "rng_state*.pth", "global_step*", "scaler.pt")


def checkpoints(output: Path) -> list[Path]:
    """The checkpoints in a trainer's output folder, whole or not, the oldest first."""
    return sorted((folder for folder in output.glob("checkpoint-*") if folder.name[11:].isdigit()), key=step_of)


def step_of(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def fault(folder: Path) -> str:
    """Why training cannot go on from a checkpoint, in a few words; empty when it is whole.

    The files of torch carry checksums, which are computed: it takes as long as reading them.
    """
    missing = _missing(folder)
    if missing:
        return f"{missing} is missing"
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if cut_short(file):
            return f"{file.relative_to(folder)} is cut short or damaged"
    return _at_odds(folder)


def written(folder: Path) -> bool:
    """Whether the trainer has ended writing a checkpoint, by its last file; quickly, and for one of a trainer that lives."""
    return not _missing(folder) and read(folder / STATE).get("global_step") == step_of(folder)


def _missing(folder: Path) -> str:
    return next((name for name, patterns in PARTS.items() if not any(True for pattern in patterns for _ in folder.glob(pattern))), "")


def _at_odds(folder: Path) -> str:
    """Files that are whole, but do not go together."""
    if read(folder / STATE).get("global_step") != step_of(folder):
        return f"{STATE} is of another step"
    if list(folder.glob("adapter_model*")) and not (folder / "adapter_config.json").exists():
        return "adapter_config.json is missing"
    for index in folder.glob("*.safetensors.index.json"):
        for name in sorted(set(read(index).get("weight_map", {}).values())):
            if not (folder / name).exists():
                return f"{name} is missing"
    return ""


def read(file: Path) -> dict[str, Any]:
    """A mapping in a JSON file; an empty one where there is none or it cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def cut_short(file: Path) -> bool:
    """Whether a file has lost a part, as far as its kind can tell; an empty one has lost everything."""
    if not file.stat().st_size:
        return True
    if file.suffix == ".safetensors":
        return not _whole_tensors(file)
    if file.suffix in (".pt", ".pth", ".bin"):
        return not _whole_archive(file)
    return file.suffix == ".json" and not _whole_json(file)


def _whole_tensors(file: Path) -> bool:
    """safetensors: the header's length in 8 bytes, the header, and as many bytes as it gives to its tensors."""
    size = file.stat().st_size
    with open(file, "rb") as handle:
        start = handle.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > size - 8:
            return False
        try:
            header = json.loads(handle.read(length))
        except ValueError:
            return False
    if not isinstance(header, dict):
        return False
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(size == 8 + length + max(ends, default=0))


def _whole_archive(file: Path) -> bool:
    """What torch.save writes is a zip file, a checksum for each part."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error):
        return False


def _whole_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def size_of(folder: Path) -> int:
    """Bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
