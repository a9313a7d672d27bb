"""lorewright train | merge RECIPE: one stage of a recipe."""

from __future__ import annotations

import argparse

from lorewright.cli.arguments import add_recipe, run_of
from lorewright.progress import shown
from lorewright.runner import Choice, execute


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--force", action="store_true", help="make it again even when nothing changed")


def main(given: argparse.Namespace) -> int:
    run = run_of(given)
    execute(run, Choice(only=(given.verb,), force=given.force))
    print(shown(run.paths.latest(run.plan.step(given.verb))))
    return 0
