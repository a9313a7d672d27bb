"""lorewright train | merge RECIPE: one stage of a recipe."""

from __future__ import annotations

import argparse
import re
import shlex

from lorewright.cli.arguments import add_recipe, run_of
from lorewright.progress import shown
from lorewright.runner import Choice, execute

KEY = "merge.checkpoint"


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--force", action="store_true", help="make it again even when nothing changed")
    if verb.prog.split()[-1] == "merge":
        what = "a step that was saved, best (the lowest loss on held-out text), or a folder (default: merge.checkpoint)"
        verb.add_argument("--checkpoint", metavar="WHICH", default="", help=what)


def main(given: argparse.Namespace) -> int:
    which = getattr(given, "checkpoint", "")
    given.set += [f"{KEY}={_written(which)}"] if which else []
    run = run_of(given)
    execute(run, Choice(only=(given.verb,), force=given.force))
    print(shown(run.paths.latest(run.plan.step(given.verb))))
    if which:
        override = shlex.quote(f"{KEY}={_written(which)}")
        print(f"serve it: ./lorewright serve {shown(run.recipe.file)} --set {override}, or set {KEY} in the recipe")
    return 0


def _written(which: str) -> str:
    """As a recipe writes it: a step by its number, a folder so that it is none."""
    if hit := re.fullmatch(r"(?:checkpoint-)?(\d+)", which):
        return hit[1]
    return which if which == "best" or which.startswith((".", "/", "~")) else f"./{which}"
