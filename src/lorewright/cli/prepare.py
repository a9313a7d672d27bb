"""lorewright prepare RECIPE"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lorewright.cli import stage
from lorewright.cli.arguments import run_of
from lorewright.data.ledger import in_terminal
from lorewright.errors import LorewrightError
from lorewright.progress import shown
from lorewright.runner import Choice, execute
from lorewright.stages import Run


def configure(verb: argparse.ArgumentParser) -> None:
    stage.configure(verb)
    told = "also print training example N (or validation:N) as Axolotl sees it, with what is trained in colour"
    verb.add_argument("--show", metavar="N", help=told)


def main(given: argparse.Namespace) -> int:
    run = run_of(given)
    samples = run.paths.latest(run.plan.step("ledger")) / "samples.jsonl" if run.recipe.axolotl is not None else None
    if given.show and samples is None:
        raise LorewrightError("--show: the recipe trains nothing", where=given.recipe, remedy="add an axolotl: section")
    try:
        execute(run, Choice(only=("prepare",), force=given.force))
    except LorewrightError:
        if given.show and (judged := _judged(run)):  # what the ledger has refused can be looked at
            print(in_terminal(judged, given.show, colour=sys.stdout.isatty()))
        raise
    folder = run.paths.latest(run.plan.step("ledger" if samples else "prepare"))
    run.console.line(f"report    {shown(folder / 'report.html')}")
    if given.show and samples:
        print(in_terminal(samples, given.show, colour=sys.stdout.isatty()))
    else:
        print(shown(run.paths.latest(run.plan.step("prepare"))))
    return 0


def _judged(run: Run) -> Path | None:
    """The newest samples of a ledger that did not end well."""
    found = run.paths.latest(run.plan.step("ledger")).parents[1].glob("ledger/*.partial/samples.jsonl")
    return max(found, key=lambda file: file.stat().st_mtime, default=None)
