"""lorewright plan RECIPE"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.plan import make_plan
from lorewright.training.several import step_said


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--json", action="store_true", help="the whole plan as JSON")


def main(given: argparse.Namespace) -> int:
    recipe = recipe_of(given)
    plan = make_plan(recipe)
    if given.json:
        print(json.dumps(asdict(plan), indent=1, default=str))
        return 0
    print(f"recipe {plan.recipe}")
    for step in plan.steps:
        needs = f"needs {', '.join(step.needs)}" if step.needs else "needs nothing"
        leaves = ", ".join(step.outputs) if step.outputs else f"port {step.part['port']}"
        print(f"  {step.name:<8} {step.kind:<8} {step.environment:<6} {needs:<22} -> {leaves}")
    if recipe.axolotl is not None:
        print(f"training: {step_said(recipe.axolotl, recipe.train.devices, keep=recipe.train.keep_batch)}")
    return 0
