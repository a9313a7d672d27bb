"""The training set as Axolotl will see it, before a GPU-hour is spent on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import lorewright
from lorewright import envs, process
from lorewright.data.ledger import Ledger, check, count
from lorewright.data.report import report
from lorewright.manifest import write_json
from lorewright.plan import Step
from lorewright.progress import said_seconds
from lorewright.stages.axolotl_yaml import write_axolotl_yaml
from lorewright.stages.launched import processes
from lorewright.stages.run import Facts, Run
from lorewright.training.estimate import steps, tokens_per_second
from lorewright.training.several import for_each

WORKER = Path(lorewright.__file__).parent / "workers" / "ledger.py"
SAMPLES = "samples.jsonl"


def ledger(step: Step, run: Run) -> Facts:
    """samples.jsonl (each sample with its mask), ledger.json (all counted) and report.html.

    Raises LorewrightError for a set that would waste the training; samples.jsonl stays for a look at it.
    """
    data = run.recipe.data
    assert data
    config = write_axolotl_yaml(run, step.name)
    command = [envs.ensure("train").python, str(WORKER), "axolotl.yaml", SAMPLES, "facts.json"]
    with run.console.bar(step.name) as bar:

        def on_line(line: str) -> None:
            bar(0, None, "Axolotl reads the set")

        process.run(command, environment=run.tool_environment("train"), log=run.paths.log(step.name), folder=run.work, on_line=on_line)
    for made_along in ("prepared", "adapter"):
        shutil.rmtree(run.work / made_along, ignore_errors=True)
    found = count(run.work / SAMPLES, run.work / "facts.json")
    write_json(run.work / "ledger.json", found.figures())
    check(found, data.max_dropped, str(run.work / SAMPLES))
    cards = processes(run.recipe, run.accelerator)
    facts = _facts(found, for_each(config, cards) if run.recipe.train.keep_batch else config, cards)
    _report(run, facts)
    return facts


def _facts(found: Ledger, config: dict[str, Any], cards: int) -> Facts:
    """config: what each of the cards is told."""
    side, packed = found.training, bool(config.get("sample_packing"))
    epochs = float(config.get("num_epochs") or 1)
    speed = cards * tokens_per_second(found.parameters, found.flops, gpu=found.gpu)
    number = steps(config, side.used, side.tokens, packed=packed, devices=cards)
    share = number / max(1, steps(config | {"max_steps": None}, side.used, side.tokens, packed=packed, devices=cards))
    seconds = share * epochs * side.tokens / speed if speed else None
    lost = [(side.truncated, "cut"), (side.dropped, "dropped"), (side.left_out, "left out")]
    said = "".join(f"; {count} {word}" for count, word in lost if count)
    time = f", about {said_seconds(seconds)} here" if seconds else ""
    return {
        "tokens": side.tokens, "trained_tokens": side.trained, "samples": side.used, "truncated": side.truncated, "dropped": side.dropped,
        "opening": found.opening, "devices": cards, "steps": number, "epochs": epochs, "tokens_per_second": round(speed),
        "estimated_seconds": round(seconds) if seconds else None,
        "said": f"{side.tokens:,} tokens in {side.used:,} samples, {side.trained / max(1, side.tokens):.0%} trained{said}; "
        f"{number:,} steps{time}",
    }  # fmt: skip


def _report(run: Run, facts: Facts) -> None:
    prepared = run.done["prepare"]
    shutil.copyfile(prepared / "style.html", run.work / "style.html")  # the report leads to it
    named = {"name": run.recipe.name, "base_model": run.recipe.model_name, "format": run.recipe.data.format if run.recipe.data else ""}
    wanted = ("tokens", "epochs", "tokens_per_second", "estimated_seconds")
    report(prepared, named | {key: facts[key] for key in wanted}, run.done.get("extract"), ledger=run.work)
