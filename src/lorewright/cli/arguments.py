"""Arguments that several verbs share, and the run they mean."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lorewright.envs import CHECKOUT
from lorewright.plan import Paths, make_plan
from lorewright.progress import Console
from lorewright.recipe import Recipe, load
from lorewright.serving.early import check_serving
from lorewright.stages import Run


def add_recipe(verb: argparse.ArgumentParser, *, optional: bool = False) -> None:
    verb.add_argument("recipe", metavar="RECIPE", nargs="?" if optional else None, help="a recipe file, for example configs/starter.yaml")
    verb.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override one value, for example axolotl.learning_rate=1e-4"
    )
    add_runs(verb)


def add_runs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--runs", metavar="FOLDER", type=Path, default=runs_folder(), help="where results are kept (default: %(default)s)")


def runs_folder() -> Path:
    """$LOREWRIGHT_RUNS, else `runs` in the checkout, else (installed as a package) `runs` here."""
    home = CHECKOUT if (CHECKOUT / "configs").is_dir() else Path.cwd()
    return Path(os.environ.get("LOREWRIGHT_RUNS") or home / "runs")


def recipe_of(given: argparse.Namespace) -> Recipe:
    return load(given.recipe, tuple(given.set))


def run_of(given: argparse.Namespace) -> Run:
    return run_on(recipe_of(given), given)


def run_on(recipe: Recipe, given: argparse.Namespace, *, smoke: bool = False) -> Run:
    check_serving(recipe)
    return Run(recipe, make_plan(recipe), Paths(given.runs.absolute(), recipe.name), Console(), smoke=smoke)
