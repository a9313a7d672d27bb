"""lorewright run RECIPE"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorewright import envs
from lorewright.cli.arguments import add_recipe, recipe_of, run_of, run_on
from lorewright.cli.query import show_answer
from lorewright.manifest import read_json
from lorewright.plan import Paths, Plan
from lorewright.progress import shown
from lorewright.runner import Choice, execute
from lorewright.smoke import closing, small_of
from lorewright.stages import Run
from lorewright.stages.launched import processes


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--from", dest="first", metavar="STAGE", default="", help="begin there; earlier stages are taken as they are")
    verb.add_argument("--only", metavar="STAGE", action="append", default=[], help="only this stage (may be given again)")
    verb.add_argument("--force", action="store_true", help="make the stages again even when nothing changed")
    verb.add_argument("--smoke", action="store_true", help="a few steps on a few samples through every stage, apart from the real run")


def main(given: argparse.Namespace) -> int:
    choice = Choice(first=given.first, only=tuple(given.only), force=given.force)
    if given.smoke:
        return _smoke(given, choice)
    run = run_of(given)
    _show(run, execute(run, choice), choice)
    return 0


def _smoke(given: argparse.Namespace, choice: Choice) -> int:
    """The small run; where no question starts the server, it is started once to see that it comes up."""
    recipe = recipe_of(given)
    small = small_of(recipe, processes(recipe, envs.accelerator()))
    run = run_on(small.recipe, given, smoke=True)
    for line in small.said():
        run.console.stage("smoke", line)
    alone = not choice.only and not small.recipe.rag
    manifest = execute(run, replace(choice, tried=("serve",) if alone else ()))
    _show(run, manifest, choice)
    print(*closing(small, run.plan, run.paths, read_json(manifest)), sep="\n")
    return 0


def _show(run: Run, manifest: Path, choice: Choice) -> None:
    if not choice.only:
        for answer in answers_of(run.paths, run.plan):
            show_answer(answer["question"], answer["text"], answer["passages"])
    print(f"\nresults   {shown(run.paths.home / 'latest')}\nmanifest  {shown(manifest)}")


def answers_of(paths: Paths, plan: Plan) -> list[dict[str, Any]]:
    """The kept answers of the newest run; empty when the recipe asks nothing."""
    if not any(step.name == "query" for step in plan.steps):
        return []
    file = paths.latest(plan.step("query")) / "answers.json"
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []
