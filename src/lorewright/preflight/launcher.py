"""What a launcher and the sharing of a training want: as many cards as the recipe says, and the packages that are no part of Axolotl."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lorewright import extras
from lorewright.errors import LorewrightError
from lorewright.preflight.found import Found, bad
from lorewright.preflight.wanted import Wanted
from lorewright.recipe import Recipe
from lorewright.serving.gpu import for_training, visible


def taken_cards(recipe: Recipe, accelerator: str) -> tuple[str, ...]:
    """The cards that a training takes, by UUID. Raises LorewrightError where there are fewer than it asks for."""
    devices, known = recipe.train.devices, visible(accelerator)
    count = len(known) if devices == "all" else int(devices)
    if count > len(known) or not known:
        what = f"train.devices is {devices}" if count else "a training needs a card"
        seen = f"{len(known) or 'no'} card{'' if len(known) == 1 else 's'} {'is' if len(known) == 1 else 'are'} visible"
        raise LorewrightError(f"{what}, and {seen}", remedy="set train.devices to all, or look at nvidia-smi and CUDA_VISIBLE_DEVICES")
    return for_training(accelerator, devices)


def need_extras(recipe: Recipe) -> None:
    """Raises LorewrightError where an extra that starts or shares out the training is missing."""
    launcher = recipe.train.launcher
    if launcher in ("deepspeed", "ray"):
        extras.need(launcher, f"train.launcher {launcher}")
    if (recipe.axolotl or {}).get("deepspeed"):
        extras.need("deepspeed", "axolotl.deepspeed")


def launcher(wanted: Wanted) -> Iterator[Found]:
    """What would keep a training on cards from being started; nothing without a card, where one process trains."""
    if not wanted.on_card:
        return
    looks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("cards", lambda: taken_cards(wanted.recipe, wanted.accelerator)),
        ("launcher", lambda: need_extras(wanted.recipe)),
    )
    for name, look in looks:
        try:
            look()
        except LorewrightError as problem:
            yield bad(name, problem.what, problem.remedy)
