"""lorewright validate RECIPE…"""

from __future__ import annotations

import argparse
import sys

from lorewright.errors import LorewrightError, RecipeError
from lorewright.recipe import load
from lorewright.serving.early import check_serving


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("recipes", metavar="RECIPE", nargs="+", help="recipe files")
    verb.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="override one value in each")


def main(given: argparse.Namespace) -> int:
    bad = 0
    for path in given.recipes:
        try:
            recipe = load(path, tuple(given.set))
            check_serving(recipe)
            print(f"{path}: ok, recipe {recipe.name}")
        except RecipeError as error:
            bad += 1
            print(*error.problems, sep="\n", file=sys.stderr)
        except LorewrightError as error:
            bad += 1
            print(error, file=sys.stderr)
    return 1 if bad else 0
