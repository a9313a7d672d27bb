"""What is foretold of a training that begins now, for its record and in a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lorewright.progress import said_seconds
from lorewright.serving.gpu import cards, for_training
from lorewright.stages.run import Run
from lorewright.training.forecast.asked import of_recipe
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.memory import GIB


def foretold(run: Run) -> dict[str, Any]:
    """peak_vram_bytes is in PyTorch's count, needed_vram_bytes what the card must have. Empty where the card or the model is unknown."""
    try:
        return _foretold(run)
    except Exception:  # noqa: BLE001 (an estimate never ends the training that it is of)
        return {}


def _foretold(run: Run) -> dict[str, Any]:
    wanted = for_training(run.accelerator, run.recipe.train.devices)
    here = [card for card in cards() if card.uuid in wanted] if wanted else []
    if not here:
        return {}
    gpu = find_gpu(here[0].name)
    found = of_recipe(run.recipe, run.paths, replace(gpu, memory=here[0].total * 2**20 or gpu.memory), len(here)).now
    memory = f"{found.needed / GIB:.1f} GiB of {found.gpu.memory / GIB:.1f}"
    run.console.line(f"train     about {said_seconds(found.seconds)} and {memory} are foretold: {found.verdict}")
    return {
        "gpu": gpu.name, "devices": len(here), "peak_vram_bytes": round(found.allocated), "needed_vram_bytes": round(found.needed),
        "seconds": round(found.seconds), "verdict": found.verdict,
    }  # fmt: skip
