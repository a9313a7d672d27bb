"""Learns from the trainings that lie in the runs folder: what each of them would have been foretold, beside what it measured."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright.manifest import RECORD, read_json
from lorewright.training.forecast.calibration import VERSION, Lesson, keep, lessons, measured
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.gpus import Gpu, find_gpu
from lorewright.training.forecast.lengths import fullest, limited
from lorewright.training.forecast.memory import Batch, highest, peaks
from lorewright.training.forecast.settings import settings_of
from lorewright.training.forecast.speed import step_seconds, work_of
from lorewright.training.render import SHARED_OUT

SMOKE = "-smoke"  # how the recipes that smoke/shrink.py makes are named


def learn(runs: Path) -> None:
    """Keeps what finished trainings in this folder measured and what was not known yet. A training that cannot be read teaches nothing."""
    known = {one.of for one in lessons()}
    keep([lesson for folder in sorted(runs.glob("*/train/*")) for lesson in _lesson(folder, known)])


def _lesson(folder: Path, known: Collection[tuple[str, str, int]]) -> Iterator[Lesson]:
    """Nothing of a smoke run, whose few steps are no measure, and of a model that was shared out to the cards."""
    recipe, found = folder.parents[1].name, measured(folder)
    if not found or folder.suffix or not found.get("device") or recipe.endswith(SMOKE):
        return
    try:
        gpu = find_gpu(str(found["device"]))
        if (folder.name, gpu.name, VERSION) in known:
            return
        config = yaml.safe_load((folder / "axolotl.yaml").read_text(encoding="utf-8"))
        ledger = _ledger_of(folder)
        if ledger is None or any(config.get(key) for key in SHARED_OUT):
            return
        memory, time = compare(config, gpu, found, ledger)
    except Exception:  # noqa: BLE001 (whatever is wrong with an old training's files, a new one goes on)
        return
    if memory or time:
        yield Lesson(folder.name, gpu.name, recipe, memory, time)


def _ledger_of(folder: Path) -> Mapping[str, Any] | None:
    """The figures of the ledger that this training needed, of all that were made; None where it is not there any more."""
    wanted = (read_json(folder / RECORD) or {}).get("needs", {}).get("ledger")
    made = [
        ledger for ledger in folder.parents[1].glob("ledger/*") if wanted and (read_json(ledger / RECORD) or {}).get("digest") == wanted
    ]
    found: Mapping[str, Any] | None = read_json(made[0] / "ledger.json") if made else None
    return found


def compare(
    config: Mapping[str, Any], gpu: Gpu, found: Mapping[str, Any], ledger: Mapping[str, Any] | None
) -> tuple[float | None, float | None]:
    """(memory, time) as measured over as foretold, None for what was not measured.

    config: axolotl.yaml as it was used. found: training.json. ledger: of the set it was trained on; without it a batch is taken to be full.
    """
    model = find_model(f"{config['base_model']}@{config['revision_of_model']}" if config.get("revision_of_model") else config["base_model"])
    settings = settings_of(config, model.shape)
    lengths = {side: _lengths(ledger, side) for side in ("training", "validation")}
    batch = fullest(limited(lengths["training"], settings.length), settings.micro, settings.length, packed=settings.packed)
    held_out = limited(lengths["validation"], settings.length)
    evaluated = fullest(held_out, settings.evaluated, settings.length) if settings.evaluated and held_out else None
    memory, time = None, None
    phases = [peak for peak in peaks(model.shape, settings, batch, evaluated) if peak.phase != "loading"]
    if found.get("peak_vram_bytes"):
        peak = highest(phases)  # nvidia-smi sees the driver's part and PyTorch's spare blocks too
        foretold = peak.needed + peak.paged if found.get("peak_vram_by") == "nvidia-smi" else peak.allocated
        memory = float(found["peak_vram_bytes"]) / foretold
    if found.get("steps") and found.get("tokens") and found.get("seconds"):
        devices = int(found.get("gpus") or 1)
        tokens = float(found["tokens"]) / found["steps"] / settings.gathered / devices
        mean = Batch(settings.micro, round(tokens / settings.micro))
        step = settings.gathered * work_of(model.shape, settings, mean).seconds(gpu) + step_seconds(model.shape, settings, gpu)
        time = float(found["seconds"]) / (step * found["steps"])
    return memory, time


def _lengths(ledger: Mapping[str, Any] | None, side: str) -> dict[int, int]:
    return {int(length): count for length, count in ledger[side]["lengths"].items()} if ledger else {}
