"""lorewright augment RECIPE --prompts FILE --output FOLDER: prompts of a file in, answers out, without the other stages."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.data.augment import augment, endpoint_of, read_prompts
from lorewright.errors import LorewrightError
from lorewright.progress import Console, shown
from lorewright.services import base_url


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--prompts", metavar="FILE", type=Path, required=True, help=".txt, one a line or between lines of ---; .jsonl; .json")
    verb.add_argument("--output", metavar="FOLDER", type=Path, required=True, help="the same folder again goes on where it was")
    verb.add_argument("--limit", type=int, help="only so many prompts, from the first on")
    verb.add_argument("--yes", action="store_true", help="agree to the cost beforehand")


def main(given: argparse.Namespace) -> int:
    recipe = recipe_of(given)
    settings = recipe.data.augment if recipe.data else None
    if not settings:
        raise LorewrightError(
            "does not say whom to ask", where=given.recipe, remedy="add data.augment: {job: answers}, see docs/recipes.md"
        )
    if given.limit is not None and given.limit < 1:
        raise LorewrightError(f"--limit {given.limit}: must be at least 1")
    if settings.job == "qa":
        remedy = "lorewright prepare asks about passages; for prompts take a recipe with data.augment.job: answers"
        raise LorewrightError("data.augment.job qa asks about passages, not prompts", where=given.recipe, remedy=remedy)
    settings = replace(settings, limit=given.limit or settings.limit)
    items = read_prompts(given.prompts)
    endpoint = endpoint_of(settings, f"{base_url(recipe.serve.host, recipe.serve.port)}/v1", recipe.name)
    facts = augment(items, settings, given.output, Console(), endpoint=endpoint, yes=given.yes)
    print(shown((given.output / facts["output"]).absolute()))
    return 0
