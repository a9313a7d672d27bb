"""lorewright run RECIPE"""

from __future__ import annotations

import argparse
import json
from typing import Any

from lorewright.cli.arguments import add_recipe, run_of
from lorewright.cli.query import show_answer
from lorewright.plan import Paths, Plan
from lorewright.progress import shown
from lorewright.runner import Choice, execute


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--from", dest="first", metavar="STAGE", default="", help="begin there; earlier stages are taken as they are")
    verb.add_argument("--only", metavar="STAGE", action="append", default=[], help="only this stage (may be given again)")
    verb.add_argument("--force", action="store_true", help="make the stages again even when nothing changed")


def main(given: argparse.Namespace) -> int:
    run = run_of(given)
    manifest = execute(run, Choice(first=given.first, only=tuple(given.only), force=given.force))
    if not given.only:
        for answer in answers_of(run.paths, run.plan):
            show_answer(answer["question"], answer["text"], answer["passages"])
    print(f"\nresults   {shown(run.paths.home / 'latest')}\nmanifest  {shown(manifest)}")
    return 0


def answers_of(paths: Paths, plan: Plan) -> list[dict[str, Any]]:
    """The kept answers of the newest run; empty when the recipe asks nothing."""
    if not any(step.name == "query" for step in plan.steps):
        return []
    file = paths.latest(plan.step("query")) / "answers.json"
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []
