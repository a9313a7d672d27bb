"""On which cards a recipe trains here, and by which launcher."""

from __future__ import annotations

import socket

from lorewright.preflight.launcher import need_extras, taken_cards
from lorewright.recipe import Recipe
from lorewright.serving.gpu import cards, for_training, visible
from lorewright.stages.run import Run
from lorewright.training.launch import Launcher


def launched(run: Run) -> tuple[Launcher, tuple[str, ...]]:
    """How the training is started, and the cards it takes. Raises LorewrightError for what is not there."""
    if run.accelerator != "cuda":
        return _without_a_card(run), ()
    train, wanted = run.recipe.train, taken_cards(run.recipe, run.accelerator)
    need_extras(run.recipe)
    count = len(wanted)
    named = train.launcher == "deepspeed" or count < len(visible(run.accelerator))  # DeepSpeed's launcher passes over CUDA_VISIBLE_DEVICES
    return Launcher(train.launcher, count, _numbers(wanted) if named else ""), wanted


def processes(recipe: Recipe, accelerator: str) -> int:
    """How many cards would share a step here, for an estimate."""
    return len(for_training(accelerator, recipe.train.devices)) or 1


def free_port() -> int:
    """One on which the processes of a training can meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _without_a_card(run: Run) -> Launcher:
    """Axolotl trains in one process on a processor; DeepSpeed and Ray need cards."""
    train = run.recipe.train
    launcher = train.launcher if train.launcher in ("accelerate", "torchrun") else "accelerate"
    if launcher != train.launcher:
        run.console.line(f"train     launcher {train.launcher} became {launcher}: there is no card")
    return Launcher(launcher)


def _numbers(wanted: tuple[str, ...]) -> str:
    """Cards by their number instead of their UUID."""
    known = {card.uuid: card.number for card in cards()}
    return ",".join(known.get(card, card) for card in wanted)
