"""What is foretold of a training that begins now, for its record and in a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lorewright.progress import said_seconds
from lorewright.serving.gpu import cards_for_training
from lorewright.stages.run import Run
from lorewright.training.forecast.asked import of_recipe
from lorewright.training.forecast.gpus import Gpu, find_gpu
from lorewright.training.forecast.memory import GIB


def foretold(run: Run) -> dict[str, Any]:
    """peak_vram_bytes is what Axolotl will count, from the loaded model on; needed_vram_bytes what the card must have, to load it too.

    Empty where the card or the model is unknown.
    """
    try:
        return _foretold(run)
    except Exception:  # noqa: BLE001 (an estimate never ends the training that it is of)
        return {}


def taken(accelerator: str, devices: int | str) -> tuple[Gpu, int] | None:
    """The first card that a training takes, with the memory that it says it has, and how many it takes; None where there is none.

    devices: as `train.devices` has it. Raises LorewrightError for a card that the table does not know.
    """
    here = cards_for_training(accelerator, devices)
    if not here:
        return None
    gpu = find_gpu(here[0].name)
    return replace(gpu, memory=here[0].total * 2**20 or gpu.memory), len(here)


def _foretold(run: Run) -> dict[str, Any]:
    here = taken(run.accelerator, run.recipe.train.devices)
    if not here:
        return {}
    found = of_recipe(run.recipe, run.paths, *here).now
    memory = f"{found.needed / GIB:.1f} GiB of {found.gpu.memory / GIB:.1f}"
    run.console.line(f"train     about {said_seconds(found.seconds)} and {memory} are foretold: {found.verdict}")
    return {
        "gpu": found.gpu.name, "devices": found.devices,
        "peak_vram_bytes": round(found.counted), "needed_vram_bytes": round(found.needed),
        "seconds": round(found.seconds), "verdict": found.verdict,
    }  # fmt: skip
