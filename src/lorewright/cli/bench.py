"""lorewright bench NAME RECIPE: measures what a recipe has made, and keeps a report."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from lorewright.cli.arguments import add_recipe, run_of
from lorewright.errors import LorewrightError
from lorewright.manifest import note_benchmark, write_json, write_whole
from lorewright.progress import shown
from lorewright.runner import Choice, execute

# name, as the module of lorewright.benchmarks -> (the stages that it measures, what it asks)
BENCHMARKS: dict[str, tuple[tuple[str, ...], str]] = {
    "retrieval": (("ingest",), "are the right passages of the lore found for a suite of questions?"),
}


def configure(verb: argparse.ArgumentParser) -> None:
    known = "; ".join(f"{name}: {what}" for name, (_, what) in BENCHMARKS.items())
    verb.add_argument("name", metavar="NAME", choices=BENCHMARKS, help=known)
    add_recipe(verb)
    verb.add_argument("--suite", metavar="FILE", type=Path, help="your own questions, YAML (default: those about the bundled lore)")
    verb.add_argument("--json", action="store_true", help="print the whole report as JSON")
    verb.add_argument("--fail-under", metavar="RECALL", type=share, help="end with 1 when recall is lower, for scripts; 0 to 1")


def main(given: argparse.Namespace) -> int:
    stages, _ = BENCHMARKS[given.name]
    run = run_of(given)
    benchmark = importlib.import_module(f"lorewright.benchmarks.{given.name}")
    suite = benchmark.read(run.recipe, given.suite)
    manifest = execute(run, Choice(only=stages))
    report = benchmark.bench(run.recipe, run.done, suite, run.console)
    file = run.paths.reports / given.name
    write_json(file.with_suffix(".json"), report.facts)
    note_benchmark(manifest, given.name, stages, report.facts)
    write_whole(file.with_suffix(".md"), report.markdown)
    print(json.dumps(report.facts, ensure_ascii=False) if given.json else f"{report.text}\n\nreport  {shown(file.with_suffix('.md'))}")
    return _verdict(report.facts["recall"], given.fail_under)


def _verdict(recall: float | None, wanted: float | None) -> int:
    if wanted is None:
        return 0
    if recall is None:
        raise LorewrightError("no question of the suite wants a passage, so --fail-under has nothing to judge")
    if recall < wanted:
        print(f"recall is {recall:.4g}, less than {wanted:g}", file=sys.stderr)
        return 1
    return 0


def share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value
