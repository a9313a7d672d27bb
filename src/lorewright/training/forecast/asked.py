"""The forecast of a recipe: everything read that it needs, and what to change where it does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.plan import Paths
from lorewright.recipe import Recipe
from lorewright.training.forecast.advice import Change, changes, free_changes
from lorewright.training.forecast.calibration import Correction, correction, lessons
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.gpus import Gpu
from lorewright.training.forecast.learn import learn
from lorewright.training.forecast.lengths import lengths_of
from lorewright.training.forecast.predict import Forecast, predict
from lorewright.training.render import axolotl_config
from lorewright.training.several import for_each


@dataclass(frozen=True)
class Answer:
    """free: what would save memory at no cost, where it does not fit easily. steps: of the recipe's list; left: why no more of them."""

    now: Forecast
    free: Sequence[Change]
    steps: Sequence[Change]
    left: Sequence[str]


def of_recipe(
    recipe: Recipe, paths: Paths, gpu: Gpu, devices: int = 1, measured: Correction | None = None, *, online: bool = False
) -> Answer:
    """paths: of the recipe's runs, whose ledger is used and whose finished trainings are learnt from. measured: by a probe.
    online: a person asks, who may wait for the hub to tell a model's size.

    Raises LorewrightError for a recipe that trains nothing, and where the base model's size cannot be found.
    """
    if recipe.axolotl is None or recipe.data is None:
        raise LorewrightError("this recipe trains nothing, so there is nothing to foretell", where=str(recipe.file))
    learn(paths.root)
    known = measured or correction(gpu.name, lessons())
    config, _ = axolotl_config(recipe, training="", validation="held out" if recipe.data.validation else None, accelerator="cuda")
    lengths = lengths_of(recipe, paths)

    def again(keys: Mapping[str, Any]) -> Forecast:
        name, revision = str(keys["base_model"]), keys.get("revision_of_model")
        model = find_model(f"{name}@{revision}" if revision else name, online=online)
        if recipe.convert and name == config["base_model"]:
            keys = dict(keys) | {"quantize_moe_experts": True}
        each = for_each(keys, devices) if recipe.train.keep_batch else keys
        found = predict(each, model, gpu, lengths, devices=devices, correction=known)
        return replace(found, config=keys, probed=measured is not None)

    now = again(config)
    free = free_changes(now, again) if now.verdict != "fits" else []
    steps, left = changes(now, recipe.train.on_out_of_memory, again)
    return Answer(now, free, steps, left)
