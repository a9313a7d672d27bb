"""lorewright export RECIPE: the merged model as GGUF files, with Ollama's Modelfile and the model card."""

from __future__ import annotations

import argparse
from pathlib import Path

from lorewright.cli.arguments import add_recipe, recipe_of, run_of
from lorewright.progress import shown
from lorewright.runner import Choice, execute

USUAL = "Q4_K_M"
WHOLE = ("merge", "parity", "gguf", "export", "parity_exported")


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("--gguf", metavar="TYPE[,TYPE…]", default="", help=f"llama.cpp's types (default: export.gguf, else {USUAL})")
    verb.add_argument("--ollama", metavar="NAME", default="", help="write a Modelfile for a model of this name (default: export.ollama)")
    verb.add_argument("--model", metavar="FOLDER", default="", help="export this model's folder (default: what the recipe merges)")
    verb.add_argument("--skip-merge", action="store_true", help="take the merged model that is there, whatever has changed since")
    verb.add_argument("--skip-convert", action="store_true", help="take the converted model that is there, and only quantise it again")
    verb.add_argument("--include-private", action="store_true", help="export although a source is marked private")
    verb.add_argument("--force", action="store_true", help="make it again even when nothing changed")


def main(given: argparse.Namespace) -> int:
    given.set += _overrides(given)
    if recipe_of(given).export is None:
        given.set.append(f"export.gguf={USUAL}")
    run = run_of(given)
    stages = ("export",) if given.skip_convert else ("gguf", "export") if given.skip_merge or given.model else WHOLE
    there = {step.name for step in run.plan.steps}
    execute(run, Choice(only=tuple(name for name in stages if name in there), force=given.force))
    print(shown(run.paths.latest(run.plan.step("export"))))
    return 0


def _overrides(given: argparse.Namespace) -> list[str]:
    types = [name.strip() for name in given.gguf.split(",") if name.strip()]
    chosen = {
        "gguf": f"[{', '.join(types)}]" if types else "",
        "ollama": given.ollama,
        "model": str(Path(given.model).absolute()) if given.model else "",
        "include_private": "true" if given.include_private else "",
    }
    return [f"export.{key}={value}" for key, value in chosen.items() if value]
