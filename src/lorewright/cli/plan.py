"""lorewright plan RECIPE"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.errors import LorewrightError
from lorewright.plan import Paths, Plan, make_plan
from lorewright.recipe import Recipe
from lorewright.serving.gpu import cards
from lorewright.training.forecast.advice import changes, free_changes
from lorewright.training.forecast.calibration import correction, lessons
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.learn import learn
from lorewright.training.forecast.lengths import lengths_of
from lorewright.training.forecast.predict import Forecast, predict
from lorewright.training.forecast.said import as_json, lines
from lorewright.training.render import axolotl_config


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--json", action="store_true", help="the whole plan as JSON")
    verb.add_argument(
        "--gpu",
        metavar="NAME",
        default="",
        help="will it fit this GPU, and how long will it take? RTX 5090, 2xH100, or `this` for the one here",
    )


def main(given: argparse.Namespace) -> int:
    recipe = recipe_of(given)
    plan = make_plan(recipe)
    values: dict[str, Any] = asdict(plan)
    said: list[str] = []
    if given.gpu:
        said, values["forecast"] = foretold(recipe, Paths(given.runs.absolute(), recipe.name), given.gpu)
    print(json.dumps(values, indent=1, default=str) if given.json else "\n".join(said or _steps(plan)))
    return 0


def _steps(plan: Plan) -> list[str]:
    rows = [f"recipe {plan.recipe}"]
    for step in plan.steps:
        needs = f"needs {', '.join(step.needs)}" if step.needs else "needs nothing"
        leaves = ", ".join(step.outputs) if step.outputs else f"port {step.part['port']}"
        rows.append(f"  {step.name:<8} {step.kind:<8} {step.environment:<6} {needs:<22} -> {leaves}")
    return rows


def foretold(recipe: Recipe, paths: Paths, gpu: str) -> tuple[list[str], dict[str, Any]]:
    """The forecast in lines and as JSON. gpu: a name of the table, with the number of cards before it (2xH100), or `this`."""

    if recipe.axolotl is None or recipe.data is None:
        raise LorewrightError("this recipe trains nothing, so there is nothing to foretell", where=str(recipe.file))
    devices, name = _asked(gpu)
    card = find_gpu(name)
    learn(paths.root)
    known = correction(card.name, lessons())
    config, _ = axolotl_config(recipe, training="", validation="held out" if recipe.data.validation else None, accelerator="cuda")
    lengths = lengths_of(recipe, paths)

    def again(keys: Mapping[str, Any]) -> Forecast:
        model, revision = str(keys["base_model"]), keys.get("revision_of_model")
        found = find_model(f"{model}@{revision}" if revision else model)
        return predict(keys, found, card, lengths, devices=devices, correction=known)

    now = again(config)
    free = free_changes(now, again) if now.verdict != "fits" else []
    steps, left = changes(now, recipe.train.on_out_of_memory, again)
    head = [f"recipe {recipe.name}"]
    return [*head, *lines(now, free, steps, left)], as_json(now, free, steps, left)


def _asked(gpu: str) -> tuple[int, str]:
    """(number of cards, name of one)."""
    if gpu == "this":
        here = cards()
        if not here:
            raise LorewrightError("no NVIDIA GPU answers on this machine", remedy="name one: --gpu 'RTX 5090'")
        return 1, here[0].name
    number, sign, name = gpu.replace("×", "x").partition("x")
    return (int(number), name.strip()) if sign and number.strip().isdigit() else (1, gpu)
