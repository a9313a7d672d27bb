"""Decides what an interrupted training goes on from, and what becomes of checkpoints that it does not go on from.

Axolotl goes on from the newest `checkpoint-N` in its output folder, whatever that holds. So before it starts, the newest one there is
made a whole one: what is broken is set aside under another name, and what is safely kept beside is given back.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright.training.checkpoints import ONLY_TO_GO_ON, STATE, checkpoints, fault, read, step_of
from lorewright.training.kept import give_back, kept_of
from lorewright.training.points import Point


@dataclass(frozen=True)
class Beginning:
    """step: the training goes on from there; 0 for its beginning. said: what happened to checkpoints, a line each."""

    step: int = 0
    said: tuple[str, ...] = ()


def newest_whole(output: Path) -> Beginning:
    """Leaves the newest whole checkpoint as the newest one in the trainer's output folder."""
    said, found = [], 0
    for folder in reversed(checkpoints(output)):
        why = fault(folder)
        if not why:
            found = step_of(folder)
            break
        said.append(f"{folder.name} is not whole ({why}); it is set aside as {_renamed(folder, 'broken').name}")
    for kept in reversed(checkpoints(kept_of(output))):
        if step_of(kept) > found and not fault(kept):
            give_back(kept, output)
            found = step_of(kept)
        elif step_of(kept) > found:
            shutil.rmtree(kept)
    return Beginning(found, tuple(said))


def set_aside(output: Path, good: int) -> int:
    """Renames the checkpoints of after a step to `lost-N`: nothing goes on from them. Returns the newest that is left, 0 for none."""
    for folder in checkpoints(output):
        if step_of(folder) > good:
            _renamed(folder, "lost")
    for kept in checkpoints(kept_of(output)):
        if step_of(kept) > good:
            shutil.rmtree(kept)
    return newest_whole(output).step


def _renamed(folder: Path, name: str) -> Path:
    target = folder.with_name(f"{name}-{step_of(folder)}")
    shutil.rmtree(target, ignore_errors=True)
    return folder.rename(target)


def recorded(standing: Sequence[Point], checkpoint: Path) -> list[Point]:
    """The curve up to the checkpoint that training goes on from. standing: the points that are known of it.

    The checkpoint's own record says which points these are and of which steps: the known ones can have been lost with the power, and
    know steps from a bar that lags behind. They have more in them, and are taken where there are any.
    """
    ours = {_key(point): point for point in standing if "epoch" in point}
    return [ours.get(_key(point), point) | {"step": point["step"]} for point in _recorded(checkpoint)]


def _key(point: Point) -> tuple[float, bool]:
    """What tells a point from another: when it was, and whether it is of the training or of an evaluation."""
    return point["epoch"], "loss" in point


def _recorded(checkpoint: Path) -> list[Point]:
    """What the trainer has logged up to a checkpoint, its numbers rounded as Axolotl's log has them."""
    history = read(checkpoint / STATE).get("log_history", [])
    return [
        {key: float(f"{value:.4g}") if key != "step" else value for key, value in entry.items() if isinstance(value, int | float)}
        for entry in history
        if "epoch" in entry and ("loss" in entry or "eval_loss" in entry)
    ]


def tidy(output: Path, wanted: str) -> None:
    """After the end of a training. wanted: what is left of its checkpoints: whole, weights (without what only going on needs) or none."""
    shutil.rmtree(kept_of(output), ignore_errors=True)
    for folder in (*output.glob("broken-*"), *output.glob("lost-*"), *output.glob(".checkpoint-*")):
        shutil.rmtree(folder)
    for folder in checkpoints(output) if wanted != "whole" else ():
        if wanted == "none":
            shutil.rmtree(folder)
        for part in (part for pattern in ONLY_TO_GO_ON for part in folder.glob(pattern)):
            shutil.rmtree(part) if part.is_dir() else part.unlink()
