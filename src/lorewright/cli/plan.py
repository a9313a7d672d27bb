"""lorewright plan RECIPE"""

from __future__ import annotations

import argparse
import json
import os
import re
from dataclasses import asdict
from typing import Any

from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.envs import accelerator
from lorewright.errors import LorewrightError
from lorewright.plan import Paths, Plan, make_plan
from lorewright.preflight.convert import wanted_bytes
from lorewright.preflight.said import gib
from lorewright.recipe import Recipe
from lorewright.serving.gpu import cards
from lorewright.stages.foretold import taken
from lorewright.training.forecast.asked import Answer, of_recipe
from lorewright.training.forecast.gpus import Gpu, find_gpu
from lorewright.training.forecast.said import as_json, lines
from lorewright.training.several import step_said


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--json", action="store_true", help="the whole plan as JSON")
    verb.add_argument(
        "--gpu", metavar="NAME", default="", help="will it fit, and how long will it take? RTX 5090, 2xH100, or `this` for this machine's"
    )
    verb.add_argument("--probe", action="store_true", help="measure it on this machine's GPU in a few real steps instead of computing it")


def main(given: argparse.Namespace) -> int:
    recipe = recipe_of(given)
    plan = make_plan(recipe)
    if not given.gpu and not given.probe:
        print(json.dumps(asdict(plan), indent=1, default=str) if given.json else "\n".join(_steps(plan, recipe)))
        return 0
    paths = Paths(given.runs.absolute(), recipe.name)
    answer = _probed(recipe, paths, given.gpu) if given.probe else _computed(recipe, paths, given.gpu)
    values: dict[str, Any] = asdict(plan) | {"forecast": as_json(answer)}
    print(json.dumps(values, indent=1, default=str) if given.json else "\n".join([f"recipe {plan.recipe}", *lines(answer)]))
    return 0


def _steps(plan: Plan, recipe: Recipe) -> list[str]:
    rows = [f"recipe {plan.recipe}"]
    said = {step.name: f"needs {', '.join(step.needs) or 'nothing'}" for step in plan.steps}
    wide = max(map(len, said.values()))
    for step in plan.steps:
        leaves = ", ".join(step.outputs) if step.outputs else f"port {step.part['port']}"
        rows.append(f"  {step.name:<8} {step.kind:<8} {step.environment:<6} {said[step.name]:<{wide}} -> {leaves}")
    if recipe.convert:
        rows.append(f"convert: {_conversion(recipe)}")
    if recipe.axolotl is not None:
        rows.append(f"training: {step_said(recipe.axolotl, recipe.train.devices, keep=recipe.train.keep_batch)}")
    return rows


def _conversion(recipe: Recipe) -> str:
    """What it takes. To the byte where the base model is on this machine."""
    where = "runs/models, once for all recipes of this base model, with under 1 GB of memory"
    size = wanted_bytes(recipe)
    return f"{gib(size)} into {where}" if size else f"into {where}"


def _computed(recipe: Recipe, paths: Paths, gpu: str) -> Answer:
    """gpu: a name of the table, with the number of cards before it (2xH100), or `this`. Raises LorewrightError."""
    if gpu == "this":
        return of_recipe(recipe, paths, *_here(recipe), online=True)
    if behind := re.fullmatch(r"(.*\d.*?)\s*[x×]\s*(\d{1,2})", gpu):
        raise LorewrightError(f"--gpu {gpu}: the number of cards stands before the name", remedy=f"--gpu {behind[2]}x{behind[1]}")
    many = re.fullmatch(r"\s*([1-9]\d*)\s*[x×]\s*(.+)", gpu)
    return of_recipe(recipe, paths, find_gpu(many[2] if many else gpu), int(many[1]) if many else 1, online=True)


def _probed(recipe: Recipe, paths: Paths, gpu: str) -> Answer:
    from lorewright.progress import Console
    from lorewright.stages import Run
    from lorewright.stages.probe import probe
    from lorewright.training.forecast.replaced import correction_by

    if gpu not in ("", "this"):
        raise LorewrightError("--probe measures the GPU of this machine", remedy="leave --gpu out, or leave --probe out to compute it")
    if accelerator() != "cuda":
        why = "a probe measures a GPU's memory and speed, and no NVIDIA driver answers on this machine"
        raise LorewrightError(why, remedy="name a GPU to compute it: --gpu 'RTX 5090'; on a processor try run --smoke")
    card, devices = _here(recipe)
    alone = of_recipe(recipe, paths, card, online=True)  # a probe runs on one card
    measured = probe(Run(recipe, make_plan(recipe), paths, Console()))
    return of_recipe(recipe, paths, card, devices, measured=correction_by(measured, alone.now), online=True)


def _here(recipe: Recipe) -> tuple[Gpu, int]:
    """The card that a training of this recipe would take on this machine, and how many."""
    here = taken("cuda", recipe.train.devices)
    if not here:
        hidden = "CUDA_VISIBLE_DEVICES" in os.environ and bool(cards())
        why = "CUDA_VISIBLE_DEVICES hides the GPUs of this machine" if hidden else "no NVIDIA GPU answers on this machine"
        raise LorewrightError(why, remedy="name one: --gpu 'RTX 5090'")
    return here
