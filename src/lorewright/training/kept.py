"""Keeps the newest checkpoint that is known to be on the disk, whatever the trainer does with its own.

The trainer removes older checkpoints when it has written a new one, and does not wait until the disk has it: when the power goes
then, the only one left can be full of holes. So each checkpoint is brought to the disk here and linked beside (`kept/`): the links take
no room, and go when a newer one has come to the disk. On a file system without links nothing is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from lorewright.manifest import sync_folder
from lorewright.training.checkpoints import checkpoints, step_of, written


def kept_of(output: Path) -> Path:
    """Where the copies of a trainer's output folder are."""
    return output.with_name("kept")


class Keeper:
    """Looks at a trainer's output folder while it trains."""

    def __init__(self, output: Path) -> None:
        self.output, self.newest = output, max(map(step_of, checkpoints(kept_of(output))), default=0)

    def look(self, step: int) -> None:
        """Keeps what has become whole. step: how many the trainer has done: all that took part have ended writing those of before."""
        if step <= self.newest + 1:
            return
        for folder in reversed(checkpoints(self.output)):
            if self.newest < step_of(folder) < step and written(folder):
                self.newest = step_of(folder)
                with contextlib.suppress(OSError):  # the trainer has just removed it, the disk is full, or it knows no links
                    keep(folder, kept_of(self.output))
                return


def keep(folder: Path, kept: Path) -> None:
    """Links a checkpoint into `kept`, where it appears once the disk has all of it; then older ones go."""
    for unfinished in kept.glob(".checkpoint-*"):  # of a run that was killed here
        shutil.rmtree(unfinished, ignore_errors=True)
    beside = kept / f".{folder.name}"
    shutil.copytree(folder, beside, copy_function=os.link)  # first of all, for the trainer may remove its own at any time
    for inner, _, names in os.walk(beside):
        for name in names:
            with open(os.path.join(inner, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(inner))
    beside.rename(kept / folder.name)
    sync_folder(kept)
    sync_folder(kept.parent)
    for older in checkpoints(kept):
        if step_of(older) < step_of(folder):
            shutil.rmtree(older, ignore_errors=True)


def give_back(kept: Path, output: Path) -> None:
    """Links a kept checkpoint into the trainer's output folder, where it stands whole or not at all."""
    beside = output / f".{kept.name}"
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(kept, beside, copy_function=os.link)
    beside.rename(output / kept.name)
