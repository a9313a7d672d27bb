"""Can the base model be converted, and what does that take: told before a weight is read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.manifest import RECORD, read_json
from lorewright.models.hub import snapshot
from lorewright.models.nf4.choose import check_kind, items_of
from lorewright.models.nf4.folder import size_of
from lorewright.models.nf4.source import tensors_of
from lorewright.plan import IN_NF4, Paths, Plan
from lorewright.preflight.found import Found, bad, good
from lorewright.preflight.model import Model
from lorewright.preflight.said import gib
from lorewright.recipe import Recipe, is_folder
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.memory import weights
from lorewright.training.forecast.settings import settings_of

NAME = "convert"
# Bytes of a parameter in NF4 with its magnitudes, and a little for what is not quantised.
EACH = 0.55


def conversion(recipe: Recipe, plan: Plan, paths: Paths, model: Model) -> Found | None:
    """A line for a recipe that converts its base model; None for others, and for a base model that is not known."""
    if not recipe.convert or not model.config:
        return None
    if problem := refused(recipe, place(recipe), model.config):
        return problem
    if made(plan, paths):
        return good(NAME, "the base model is there in NF4")
    return good(NAME, f"{gib(wanted_bytes(recipe, model.parameters))} of NF4 will be made, once for all recipes of this base model")


def refused(recipe: Recipe, folder: Path | None, config: Mapping[str, object] | None = None) -> Found | None:
    """Why the base model cannot be converted; None where it can, as far as is known. folder: where its files are, if they are here."""
    try:
        where = folder or Path(recipe.base_model)
        check_kind(config or read_json(where / "config.json") or {}, where / "config.json")
        if folder:
            items_of(tensors_of(folder), experts_only=False)
    except LorewrightError as problem:
        return bad(NAME, f"{recipe.model_name} cannot be converted: {problem.what}", problem.remedy or "leave convert out")
    return None


def wanted_bytes(recipe: Recipe, parameters: int = 0) -> float:
    """What the conversion writes: to the byte where the base model is on this machine, else by its sizes; 0 where it is not known.

    parameters: of the base model, where they are known.
    """
    folder = place(recipe)
    with contextlib.suppress(LorewrightError):  # not whole yet
        if folder:
            return size_of(folder)
    try:
        shape = find_model(recipe.base_model).shape
    except LorewrightError:
        return EACH * parameters
    return weights(shape, replace(settings_of(recipe.axolotl or {}, shape), experts_quantised=True))


def place(recipe: Recipe) -> Path | None:
    return Path(recipe.base_model) if is_folder(recipe.base_model) else snapshot(recipe.base_model)


def made(plan: Plan, paths: Paths) -> bool:
    """Whether this recipe's newest run has a converted model."""
    latest = paths.latest(plan.step("convert"))
    return (latest / RECORD).is_file() and (latest / IN_NF4).is_dir()
