"""lorewright serve | rag RECIPE: start a service and leave it running."""

from __future__ import annotations

import argparse

from lorewright.cli.arguments import add_recipe, run_of
from lorewright.errors import LorewrightError
from lorewright.progress import shown
from lorewright.runner import Choice, execute


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)


def main(given: argparse.Namespace) -> int:
    run = run_of(given)
    if given.verb == "rag" and not run.recipe.rag:
        raise LorewrightError("the recipe has no lore", where=given.recipe, remedy="add a rag: section with its sources")
    execute(run, Choice(services=(given.verb,)))
    step = run.plan.step(given.verb)
    print(f"\nOpenAI API  http://{step.part['host']}:{step.part['port']}/v1   model {run.recipe.name}")
    print(f"log         {shown(run.paths.log(step.name))}\nstop all    ./lorewright stop")
    return 0
