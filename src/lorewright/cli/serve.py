"""lorewright serve | rag | restart RECIPE: start a service and leave it running."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import yaml

from lorewright import envs, services
from lorewright.cli.arguments import add_recipe, run_of
from lorewright.errors import LorewrightError
from lorewright.manifest import other_choice, read_json, write_whole
from lorewright.progress import shown
from lorewright.runner import Choice, execute
from lorewright.serving import vllm
from lorewright.serving.context import own_context
from lorewright.stages import Run
from lorewright.stages.serve import configuration

STARTER = envs.CHECKOUT / "configs" / "starter.yaml"
# The positions behind the recipe, and the keys they set.
POSITIONS = {
    "port": "serve.port",
    "max_seqs": "vllm.max_num_seqs",
    "context": "vllm.max_model_len",
    "gpu_util": "vllm.gpu_memory_utilization",
}
# What a model gets that is served without a recipe.
PLAIN = {"max_num_seqs": 9, "gpu_memory_utilization": 0.9}
PLAIN_CONTEXT = 64000


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb, optional=True)
    word = verb.prog.split()[-1]
    if word != "serve":
        return
    verb.add_argument("port", nargs="?", metavar="PORT", help="port of the OpenAI API (default: the recipe's, else 8000)")
    verb.add_argument("max_seqs", nargs="?", metavar="MAX_SEQS", help="requests answered at a time (default: the recipe's, else 9)")
    verb.add_argument("context", nargs="?", metavar="CONTEXT", help="tokens of request and answer (default: the recipe's, else 64000)")
    verb.add_argument("gpu_util", nargs="?", metavar="GPU_UTIL", help="share of the card that vLLM takes (default: the recipe's, else 0.9)")
    verb.add_argument("--dry-run", action="store_true", help="print vllm.yaml and the exact command; start nothing")
    verb.epilog = "RECIPE may be a model instead: a folder, or a name on the hub. It is then served as it is, with nothing trained."


def main(given: argparse.Namespace) -> int:
    given.recipe = given.recipe or str(STARTER)
    given.set += [f"{key}={getattr(given, name)}" for name, key in POSITIONS.items() if getattr(given, name, None)]
    if is_model(given.recipe):
        given.recipe, given.set = plain_recipe(given.recipe, given.set, given.runs.absolute())
    run = run_of(given)
    if given.verb == "rag" and not run.recipe.rag:
        raise LorewrightError("the recipe has no lore", where=given.recipe, remedy="add a rag: section with its sources")
    if getattr(given, "dry_run", False):
        print(dry_run(run))
        return 0
    anew = given.verb == "restart"
    wanted = running(run) if anew else (given.verb,)
    execute(run, Choice(services=wanted, anew=anew))
    for name in wanted:
        step = run.plan.step(name)
        print(f"\nOpenAI API  {services.base_url(str(step.part['host']), int(step.part['port']))}/v1   {names(run, name)}")
        print(f"log         {shown(run.paths.log(step.name))}")
    print("stop all    ./lorewright stop")
    return 0


def names(run: Run, service: str) -> str:
    """Under which names the models are asked for."""
    own = run.recipe.name if not run.recipe.serve.on_base or run.recipe.axolotl is not None else ""
    base = f"{run.recipe.name}-base" if run.recipe.serve.on_base and own else run.recipe.name
    found = [name for name in dict.fromkeys([own, *run.recipe.serve.adapters, base]) if name]
    return f"{'model' if len(found) == 1 else 'models'} {', '.join(found)}"


def is_model(word: str) -> bool:
    """A folder with a config.json, or a hub name (ORG/NAME); a recipe is a file."""
    folder = Path(word).expanduser()
    if folder.is_dir():
        return (folder / "config.json").is_file()
    return (
        not folder.exists() and bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", word)) and not word.endswith((".yaml", ".yml"))
    )


def plain_recipe(model: str, overrides: list[str], runs: Path) -> tuple[str, list[str]]:
    """A recipe that trains nothing, for a model alone: its file, and the overrides as they are."""
    folder = Path(model).expanduser()
    base = str(folder.absolute()) if folder.is_dir() else model
    name = re.sub(r"[^a-z0-9_-]+", "-", base.partition("@")[0].rstrip("/").rpartition("/")[2].lower()).strip("-_")[:63] or "model"
    context = min(PLAIN_CONTEXT, own_context(Path(base))) if folder.is_dir() else PLAIN_CONTEXT
    values = {"recipe": name, "base_model": base, "vllm": PLAIN | {"max_model_len": context}}
    file = runs / name / "model.yaml"
    write_whole(file, f"# Written by `lorewright serve {model}`; copy it to keep it.\n{yaml.safe_dump(values, sort_keys=False)}")
    return str(file), overrides


def dry_run(run: Run) -> str:
    """vllm.yaml, written beside the recipe's results so that the command below it works as it stands."""
    done = {}
    for step in run.plan.steps:
        folder = run.paths.latest(step)
        if step.kind == "artifact" and (folder / "step.json").exists() and not other_choice(step, read_json(folder / "step.json")):
            done[step.name] = folder.resolve()
    needs = [need for need in run.plan.step("serve").needs if need not in done]
    if needs:
        what = f"{needs[0]} has not been run yet, so there is no model to serve"
        raise LorewrightError(what, remedy=f"run it first: ./lorewright run {shown(run.recipe.file)}")
    text = configuration(run, done)
    file = run.paths.home / "vllm.yaml"
    write_whole(file, text)
    command = vllm.command(envs.locate("serve").python, file)
    return f"# {shown(file)}\n{text}\n{vllm.shell_line(command, vllm.variables(run.accelerator, run.recipe))}"


def running(run: Run) -> tuple[str, ...]:
    """What restart starts again: what runs now, at least vLLM. The proxy brings vLLM with it."""
    rag = [step for step in run.plan.steps if step.name == "rag"]
    return ("rag",) if any(services.running(run.paths.service(step)) for step in rag) else ("serve",)
