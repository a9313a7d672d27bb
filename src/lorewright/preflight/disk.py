"""Is there room on the disks for what is still to be written: the model, checkpoints, the merged model, temporary files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

from lorewright.models import hub
from lorewright.preflight.convert import made, wanted_bytes
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.preflight.model import Model
from lorewright.preflight.said import gib
from lorewright.preflight.wanted import Wanted

NAME = "disk"
TEMPORARY = 2**30  # compiled kernels, and what a trainer spools
KEPT = 4  # Axolotl's save_total_limit where the recipe has none
# Bytes an optimizer keeps of a trained parameter: two states in 32 bit, or in 8.
STATES, STATES_8BIT = 8, 2
# Parameters that a rank adds to a parameter of the model, where the shapes are not known: Llama-3.1-8B with all linear layers.
PER_RANK = 3.3e-4
NOT_LINEAR = ("embed_tokens", "lm_head", "norm", "layernorm", "wte", "wpe")


@dataclass(frozen=True)
class Need:
    """bytes that go into a folder. for_what: in words. later: only wanted after the training."""

    folder: Path
    bytes: float
    for_what: str
    later: bool = False


def disk(wanted: Wanted, model: Model) -> list[Found]:
    """A line for each disk that something is written to."""
    disks: dict[int, list[Need]] = {}
    for need in needs(wanted, model):
        if need.bytes:
            disks.setdefault(existing(need.folder).stat().st_dev, []).append(need)
    return [_judged(found) for found in disks.values()]


def needs(wanted: Wanted, model: Model) -> Iterator[Need]:
    """All that is still to be written. What an interrupted training has kept already is taken off."""
    yield Need(hub.cache(), model.to_fetch, "the model")
    if wanted.recipe.convert and not wanted.work and not made(wanted.plan, wanted.paths):
        yield Need(wanted.paths.root, wanted_bytes(wanted.recipe, model.parameters), "the model in NF4")
    there = _size(wanted.work / "adapter") if wanted.work else 0
    yield Need(wanted.paths.root, max(0.0, checkpoints(wanted.config, model) - there), "checkpoints and adapter")
    if any(step.name == "merge" for step in wanted.plan.steps) and not wanted.recipe.serve.on_base:
        yield Need(wanted.paths.root, 2.0 * model.parameters, "the merged model", later=True)
    yield Need(Path(tempfile.gettempdir()), TEMPORARY, "temporary files")


def checkpoints(config: Mapping[str, Any], model: Model) -> float:
    """Bytes of all checkpoints that are kept at once, the one that is being written, and the adapter."""
    trained = trainable(config, model)
    weights = 4.0 if config.get("adapter") else 2.0
    states = STATES_8BIT if "8bit" in str(config.get("optimizer", "")) else STATES
    kept = 0 if config.get("save_strategy") == "no" else _kept(config) + 1
    return trained * (weights + states) * kept + trained * weights


def _kept(config: Mapping[str, Any]) -> int:
    limit = int(config.get("save_total_limit") or KEPT)
    if config.get("save_steps") or config.get("max_steps"):
        return limit
    return min(limit, ceil(float(config.get("saves_per_epoch") or 1) * float(config.get("num_epochs") or 1)))


def trainable(config: Mapping[str, Any], model: Model) -> float:
    """Parameters that are trained: a rank gives each matrix a row and a column (https://arxiv.org/abs/2106.09685)."""
    if not config.get("adapter"):
        return float(model.parameters)
    rank, stacked = int(config.get("lora_r") or 8), 0
    for name, shape in model.shapes.items():
        if len(shape) >= 2 and _targeted(name, config):
            stacked += prod(shape[:-2]) * (shape[-1] + shape[-2])
    packed = bool(model.config.get("quantization_config"))  # then the shapes are not those of the matrices
    return float(rank * stacked) if stacked and not packed else PER_RANK * rank * model.parameters


def _targeted(name: str, config: Mapping[str, Any]) -> bool:
    if any(part in name for part in NOT_LINEAR):
        return False
    if config.get("lora_target_linear"):
        return True
    chosen = config.get("lora_target_modules") or ()
    parts = name.split(".")
    return any(target in parts for target in ([chosen] if isinstance(chosen, str) else chosen))


def _judged(found: list[Need]) -> Found:
    place = existing(found[0].folder)
    free = shutil.disk_usage(place).free
    now, all_of_it = (sum(need.bytes for need in found if not need.later or later) for later in (False, True))
    parts = ", ".join(f"{gib(need.bytes)} for {need.for_what}" for need in found)
    said = f"{gib(free)} free in {place}, {gib(all_of_it)} wanted: {parts}"
    if free >= all_of_it:
        return good(NAME, said)
    remedy = f"free {gib(all_of_it - free)}, or {_elsewhere(found)}"
    return bad(NAME, said, remedy) if free < now else warn(NAME, f"{said}: the merge after the training will not fit", remedy)


def _elsewhere(found: list[Need]) -> str:
    ways = {
        "the model": "point HF_HOME at a larger disk",
        "the model in NF4": "choose another place with --runs",
        "checkpoints and adapter": "keep fewer checkpoints (axolotl.save_total_limit) or choose another place with --runs",
        "temporary files": "point TMPDIR at a larger disk",
    }
    largest = max((need for need in found if need.for_what in ways), key=lambda need: need.bytes)
    return ways[largest.for_what]


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
