"""A training that is interrupted writes a checkpoint first, so that no step is lost.

Axolotl writes one after the step it is at when a file of a certain name appears in its output folder (`dynamic_checkpoint`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lorewright.progress import said_seconds
from lorewright.training.checkpoints import checkpoints, step_of, written

# A step is waited for three times as long as steps have taken, and the writing of the checkpoint this long.
STEPS, SECONDS = 3, 60
SETTLED = 1.0  # callbacks of the trainer's write a few more small files after the checkpoint is whole
TRIGGER = "axolotl_checkpoint.save"


def with_trigger(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration, looking for the file after every step unless the recipe says otherwise."""
    return {"dynamic_checkpoint": {"enabled": True, "check_interval": 1}} | dict(config)


def clear_trigger(output: Path, config: Mapping[str, Any]) -> None:
    """Takes back a question that an ended trainer did not answer any more."""
    file = trigger(output, config)
    if file:
        file.unlink(missing_ok=True)


def trigger(output: Path, config: Mapping[str, Any]) -> Path | None:
    """The file that asks for a checkpoint; None where the recipe has switched this off."""
    settings = config.get("dynamic_checkpoint") or {}
    return output / (settings.get("trigger_file_path") or TRIGGER) if settings.get("enabled") else None


def ask_for_checkpoint(output: Path, file: Path, step: int, seconds: float) -> tuple[Callable[[], bool], str]:
    """(what says that a whole checkpoint of this step or a later one is there, or that it was waited for long enough; in words).

    step: the training is at. seconds: a step takes.
    """
    output.mkdir(exist_ok=True)
    file.touch()
    most = STEPS * seconds + SECONDS
    end, seen = time.monotonic() + most, [0.0]

    def over() -> bool:
        newest = checkpoints(output)[-1:]
        if not newest or step_of(newest[0]) < step or not written(newest[0]):
            return time.monotonic() > end
        seen[0] = seen[0] or time.monotonic()
        return time.monotonic() > seen[0] + SETTLED

    return over, f"stopping as soon as a checkpoint is written, in {said_seconds(most)} at the latest; Ctrl-C again stops at once"
