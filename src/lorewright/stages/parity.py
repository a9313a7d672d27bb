"""Whether the merged model is the one that was trained: base model and adapter against it, asked the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import lorewright
from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.manifest import write_json
from lorewright.models.checkpoint import chosen
from lorewright.models.parity.compare import Bound, compare
from lorewright.models.parity.ends import End, known_ends, trained_end
from lorewright.models.parity.judged import Side
from lorewright.models.parity.questions import Asking, write_questions
from lorewright.models.parity.told import told
from lorewright.models.tokenizer import has_tokenizer
from lorewright.plan import Step
from lorewright.recipe import split_revision
from lorewright.serving import turns
from lorewright.serving.gpu import visible
from lorewright.serving.vllm import left_open
from lorewright.stages.run import Facts, Run
from lorewright.training.ladder_record import trained_model
from lorewright.training.out_of_memory import ran_out

WORKER = Path(lorewright.__file__).parent / "workers" / "parity_transformers.py"
SAID = "parity: "  # begins the worker's own lines


def parity(step: Step, run: Run) -> Facts:
    """Asks base model and adapter, and then the merged model, with transformers in the train environment."""
    config = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text(encoding="utf-8"))
    adapter, tokenizer = _trained(run)
    settings = (config.get("chat_template_kwargs") or {}) | left_open(run.recipe)[1]  # as a request is rendered that says nothing
    asking = Asking(tokenizer, settings, step.part["room"])
    asked = write_questions(run.done["prepare"], asking, run.work / "asked.jsonl")
    merged = run.done["merge"] / "merged"
    _observe(run, [_with_adapter(run, config, adapter, tokenizer), _model("merged", str(merged), merged)])
    seen = {name: run.work / f"{name}.jsonl" for name in ("trained", "base", "merged")}
    verdict = compare(seen["trained"], seen["merged"], Bound(**step.part["bound"]), seen["trained"], seen["base"])
    end = End(*trained_end(run.done["ledger"] / "samples.jsonl", tokenizer), known_ends(merged))
    return told({"merged": Side("merged", verdict, end)}, asked, run.recipe.name, run.work, run.console)


def _trained(run: Run) -> tuple[Path, Path]:
    """(the adapter that was merged, the tokenizer that it was trained with)"""
    trained = run.done["train"] / "adapter"
    took = chosen(trained, run.recipe.merge.checkpoint).folder
    return took, took if has_tokenizer(took) else trained


def _with_adapter(run: Run, config: Mapping[str, Any], adapter: Path, tokenizer: Path) -> dict[str, Any]:
    """In 4 bits where it was trained so: what the adapter has learnt is to be right on that base, and the merge imitates it."""
    name, revision = split_revision(trained_model(run.done["train"], run.recipe.base_model))
    return _model("trained", name, tokenizer) | {
        "revision": revision, "adapter": str(adapter), "four_bit": bool(config.get("load_in_4bit")), "base": "base.jsonl",
        "trust_remote_code": bool(config.get("trust_remote_code")),
    }  # fmt: skip


def _model(name: str, model: str, tokenizer: Path) -> dict[str, Any]:
    """One of the models that the worker asks."""
    return {
        "name": name, "model": model, "revision": "", "tokenizer": str(tokenizer), "adapter": "", "four_bit": False, "base": "",
        "trust_remote_code": False, "observed": f"{name}.jsonl",
    }  # fmt: skip


def _observe(run: Run, models: list[dict[str, Any]]) -> None:
    """Raises process.ToolError, and LorewrightError where the merged model is what cannot be asked."""
    trusted = any(model["trust_remote_code"] for model in models)
    write_json(run.work / "request.json", {"asked": "asked.jsonl", "models": [model | {"trust_remote_code": trusted} for model in models]})
    asker, cards = turns.Asker(f"parity of {run.recipe.name}"), visible(run.accelerator)[:1]
    at: list[str] = []
    try:
        with turns.cards(cards, asker, run) as held, run.console.bar("parity") as bar:

            def read(line: str) -> None:
                if line.startswith(SAID):
                    at.append(json.loads(line.removeprefix(SAID))["at"])
                    bar(len(at) - 1, len(models), f"asking the {at[-1]} model")

            variables = run.tool_environment("train", model=models[0]["model"]) | ({"CUDA_VISIBLE_DEVICES": cards[0]} if cards else {})
            command = [envs.ensure("train").python, str(WORKER), "request.json"]
            process.run(command, environment=variables, log=run.paths.log("parity"), folder=run.work, on_line=read, handles=held)
    except process.ToolError as problem:
        if at[-1:] != ["merged"] or ran_out(problem.log, problem.code, 0):
            raise
        what = "what was merged is not what was trained, it broke in merge: transformers cannot load it or ask it"
        raise LorewrightError(what, where=str(run.paths.log("parity")), remedy="merge again with --force", tail=problem.tail) from None
