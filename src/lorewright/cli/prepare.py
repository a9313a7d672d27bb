"""lorewright prepare RECIPE"""

from __future__ import annotations

import argparse
import sys

from lorewright.cli import stage
from lorewright.cli.arguments import run_of
from lorewright.data.ledger import in_terminal
from lorewright.errors import LorewrightError
from lorewright.progress import shown
from lorewright.runner import Choice, execute


def configure(verb: argparse.ArgumentParser) -> None:
    stage.configure(verb)
    told = "also print training example N (or validation:N) as Axolotl sees it, with what is trained in colour"
    verb.add_argument("--show", metavar="N", help=told)


def main(given: argparse.Namespace) -> int:
    run = run_of(given)
    samples = run.paths.latest(run.plan.step("ledger")) / "samples.jsonl" if run.recipe.axolotl is not None else None
    if given.show and samples is None:
        raise LorewrightError("--show: the recipe trains nothing", where=given.recipe, remedy="add an axolotl: section")
    execute(run, Choice(only=("prepare",), force=given.force))
    folder = run.paths.latest(run.plan.step("ledger" if samples else "prepare"))
    run.console.line(f"report    {shown(folder / 'report.html')}")
    if given.show and samples:
        print(in_terminal(samples, given.show, colour=sys.stdout.isatty()))
    else:
        print(shown(run.paths.latest(run.plan.step("prepare"))))
    return 0
