"""Decides what an interrupted training goes on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def whole_checkpoint(folder: Path) -> bool:
    """The trainer writes trainer_state.json last: a checkpoint without a readable one was cut off."""
    try:
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    weights = [*folder.glob("*.safetensors")]
    return "global_step" in state and bool(weights) and all(file.stat().st_size > 8 for file in weights)


def drop_broken_checkpoints(output: Path) -> int:
    """Removes half-written checkpoints, which the trainer would take for the newest. Returns the step to go on from, 0 for none."""
    steps = [0]
    for folder in sorted(output.glob("checkpoint-*")):
        if whole_checkpoint(folder):
            steps.append(int(folder.name.rpartition("-")[2]))
        else:
            shutil.rmtree(folder)
    return max(steps)


def set_aside(output: Path, good: int) -> int:
    """Renames the checkpoints of after a step to `lost-N`: nothing goes on from them. Returns the newest that is left, 0 for none."""
    steps = [0]
    for folder in sorted(output.glob("checkpoint-*")):
        step = int(folder.name.rpartition("-")[2])
        if step <= good and whole_checkpoint(folder):
            steps.append(step)
            continue
        lost = output / f"lost-{step}"
        shutil.rmtree(lost, ignore_errors=True)
        folder.rename(lost)
    return max(steps)
