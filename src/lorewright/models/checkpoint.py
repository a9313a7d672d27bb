"""Which state of an adapter is merged: what the training ended with, a step that was saved, the best of them, or a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.recipe.check_merge import BEST
from lorewright.training.checkpoints import STATE, checkpoints, read, step_of

KEPT = "axolotl.saves_per_epoch, axolotl.save_total_limit and train.finished_checkpoints say what is kept of a training"


@dataclass(frozen=True)
class Chosen:
    """folder: the adapter's. step: of its training, where it is known. said: which it is and why, in words; "" for the training's own."""

    folder: Path
    step: int | None = None
    eval_loss: float | None = None
    said: str = ""


def chosen(adapter: Path, asked: int | str | None) -> Chosen:
    """adapter: the folder of a finished training's adapter, its checkpoints in it. asked: as Recipe.merge has it.

    Raises LorewrightError for a checkpoint that is not there, with the steps of those that are.
    """
    if asked is None:
        return Chosen(adapter)
    if asked == BEST:
        return _best(adapter)
    if isinstance(asked, str):
        return Chosen(Path(asked), said=f"the adapter in {Path(asked).name}")
    folder = adapter / f"checkpoint-{asked}"
    if not folder.is_dir():
        raise LorewrightError(f"there is no checkpoint of step {asked}{_there(adapter)}", where=str(adapter), remedy=KEPT)
    return Chosen(folder, asked, _losses(adapter).get(asked), f"checkpoint of step {asked}")


def _best(adapter: Path) -> Chosen:
    losses, folders = _losses(adapter), {step_of(folder): folder for folder in checkpoints(adapter)}
    measured = {step: losses[step] for step in folders if step in losses}
    if not measured:
        what = "no checkpoint has a loss on held-out text" if folders else f"there are no checkpoints to choose from{_there(adapter)}"
        remedy = "set data.validation and axolotl.eval_steps, and save at the steps that are evaluated" if folders else KEPT
        raise LorewrightError(f"the best checkpoint is not known: {what}", where=str(adapter), remedy=remedy)
    step = min(measured, key=lambda step: (measured[step], step))
    others = ", ".join(f"{other} {loss:.4f}" for other, loss in sorted(measured.items()) if other != step)
    said = f"checkpoint of step {step}, the best of those kept: {measured[step]:.4f} on held-out text"
    said += f" (step {others})" if others else " (the only one)"
    lowest = min(losses, key=lambda step: losses[step])
    if losses[lowest] < measured[step]:
        said += f"; step {lowest} had {losses[lowest]:.4f}, and was not kept"
    return Chosen(folders[step], step, measured[step], said)


def _losses(adapter: Path) -> dict[int, float]:
    """Step -> loss on held-out text, of all evaluations that the checkpoints' records know."""
    entries = [entry for folder in checkpoints(adapter) for entry in read(folder / STATE).get("log_history", []) if "eval_loss" in entry]
    return {int(entry["step"]): float(entry["eval_loss"]) for entry in entries if entry["eval_loss"] == entry["eval_loss"]}


def _there(adapter: Path) -> str:
    steps = [str(step_of(folder)) for folder in checkpoints(adapter)]
    return f"; there are those of step {', '.join(steps)}" if steps else ": the training has left none"
