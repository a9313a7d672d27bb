"""lorewright parity RECIPE: whether what is merged, what was exported, and what vLLM serves, is what was trained."""

from __future__ import annotations

import argparse

from lorewright.cli.arguments import add_recipe, run_of
from lorewright.errors import LorewrightError
from lorewright.models.parity.told import REPORT
from lorewright.progress import shown
from lorewright.runner import Choice, execute

STAGES = ("parity", "parity_exported", "parity_served")


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--force", action="store_true", help="look again even when nothing changed")


def main(given: argparse.Namespace) -> int:
    run = run_of(given)
    stages = tuple(step.name for step in run.plan.steps if step.name in STAGES)
    if not stages:
        raise LorewrightError("this recipe has no gate: parity.check is false, nothing is trained, or its experts are in 4 bits")
    if "parity_exported" in stages and not run.paths.latest(run.plan.step("export")).exists():
        stages = tuple(name for name in stages if name != "parity_exported")  # nothing has been exported yet
    execute(run, Choice(only=stages, force=given.force))
    for stage in stages:
        if stage in run.done:
            print(shown(run.paths.latest(run.plan.step(stage)) / REPORT))
    return 0
