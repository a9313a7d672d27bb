"""All checks together, in the order in which a person would mend what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lorewright.errors import RecipeError
from lorewright.plan import Paths, Plan
from lorewright.preflight.base_model import base_model
from lorewright.preflight.card import room
from lorewright.preflight.convert import conversion
from lorewright.preflight.disk import disk
from lorewright.preflight.driver import driver
from lorewright.preflight.found import BAD, WARN, Found, warn
from lorewright.preflight.launcher import launcher
from lorewright.preflight.ledger import ledger
from lorewright.preflight.memory import memory
from lorewright.preflight.model import Model
from lorewright.preflight.precision import precision
from lorewright.preflight.template import served, template
from lorewright.preflight.tools import tools
from lorewright.preflight.wanted import Wanted, wanted_by
from lorewright.recipe import Recipe
from lorewright.serving.gpu import Card, cards, for_training

MANY = 1e9  # parameters: on a processor a step of such a model takes minutes


def seen_cards(accelerator: str, devices: int | str = "all") -> list[Card]:
    """The cards that a tool started from here would see. devices: how many of them a training takes."""
    chosen = for_training(accelerator, devices)
    return [card for card in cards() if card.uuid in chosen] if chosen else []


def of_machine(accelerator: str) -> list[Found]:
    """What does not depend on a recipe: driver, cards and who is on them."""
    if accelerator != "cuda":
        return []
    found = seen_cards(accelerator)
    return [*driver(found), *room(None, Model(""), found)]


def of_recipe(recipe: Recipe, plan: Plan, paths: Paths, accelerator: str) -> list[Found]:
    """All of it for a recipe that has not been run: its model, and what its training wants."""
    wanted = wanted_by(recipe, plan, paths, accelerator)
    if wanted:
        return [*of_training(wanted), *served(recipe)]
    model, found = base_model(recipe.base_model)
    return [found, *template(recipe, model), *served(recipe), *of_machine(accelerator)]


def of_training(wanted: Wanted) -> list[Found]:
    model, found = base_model(wanted.model)
    before = [found, *_conversion(wanted, model), *_fallbacks(wanted), *template(wanted.recipe, model), ledger(wanted)]
    return [*before, *_machine_for(wanted, model)]


def _conversion(wanted: Wanted, model: Model) -> Iterator[Found]:
    """Before it is done: a training starts from what was converted."""
    if not wanted.work:
        found = conversion(wanted.recipe, wanted.plan, wanted.paths, model)
        yield from [found] if found else []


def _fallbacks(wanted: Wanted) -> Iterator[Found]:
    """A model that the out-of-memory ladder may take, at night, and could not have."""
    names = [str(rung.value) for rung in wanted.recipe.train.on_out_of_memory if rung.step == "fallback_model"]
    for name in names:
        found = base_model(name)[1] if name != wanted.model else None
        if found and found.state == BAD:
            yield warn("fallback", found.said, f"{found.remedy}; or take it out of train.on_out_of_memory")


def _machine_for(wanted: Wanted, model: Model) -> Iterator[Found]:
    if wanted.on_card:
        found = seen_cards(wanted.accelerator, wanted.recipe.train.devices)
        yield from driver(found)
        yield from room(wanted, model, found)
        yield from precision(wanted.config, found)
        yield from launcher(wanted)
    elif model.parameters >= MANY:
        yield warn(
            "processor",
            f"{model.parameters / 1e9:.1f} billion parameters without a card: a step takes minutes",
            "a machine with an NVIDIA card",
        )
    yield from tools(wanted)
    if model.parameters:
        yield memory(wanted, model)
    yield from disk(wanted, model)


def check_training(wanted: Wanted, tell: Callable[[str], None]) -> None:
    """The train stage's own look, before anything is loaded, fetched or started.

    tell: gets the warnings, a line each. Raises RecipeError with all that stands in the way, a line each.
    """
    found = of_training(wanted)
    for one in found:
        if one.state == WARN:
            tell(f"train     {one.name}: {one.text}")
    refuse(found)


def refuse(found: Sequence[Found]) -> None:
    lines = [f"train: {one.name}: {one.text}" for one in found if one.state == BAD]
    if lines:
        raise RecipeError(lines)
