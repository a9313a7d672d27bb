"""The adapter goes into the base model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_whole
from lorewright.models.adapter import read_adapter
from lorewright.models.belongs import Together, check_together
from lorewright.models.card import merged_card
from lorewright.models.checkpoint import chosen
from lorewright.models.hub import snapshot
from lorewright.models.lineage import NAME as LINEAGE
from lorewright.models.merge import check_whole, complete
from lorewright.models.tokenizer import has_tokenizer
from lorewright.models.weights import weights_of
from lorewright.plan import Step
from lorewright.recipe import is_folder, split_revision
from lorewright.stages.run import Facts, Run
from lorewright.training.ladder_record import trained_model
from lorewright.training.out_of_memory import ran_out
from lorewright.training.plugins import without_ours
from lorewright.training.render import SHARED_OUT, for_cpu, to_yaml

APPLIED = re.compile(r"Applied LoRA to (\d+)/\d+ tensors")  # Axolotl's own count, at its end


def merge(step: Step, run: Run) -> Facts:
    """The adapter goes into the base model, shard by shard."""
    trained = run.done["train"] / "adapter"
    took = chosen(trained, run.recipe.merge.checkpoint)
    adapter = took.folder
    if took.said:
        run.console.line(f"merge     {took.said}")
    config = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text(encoding="utf-8"))
    model = trained_model(run.done["train"], run.recipe.base_model)
    config = without_ours({key: value for key, value in config.items() if key not in SHARED_OUT})
    config["base_model"] = split_revision(model)[0]  # the folder may have moved since
    shutil.rmtree(run.work / "merged", ignore_errors=True)  # what an interrupted merge has left
    tokenizer = adapter if has_tokenizer(adapter) else trained
    modules = _check(run, model, adapter, tokenizer)
    by_processor = False
    try:
        _merge(run, config, adapter, model, modules)
    except process.ToolError as problem:
        if run.accelerator == "cpu" or not ran_out(problem.log, problem.code, 0):
            raise
        run.console.line("merge     out of memory while merging on the card: once more, on the processor")
        by_processor = True
        shutil.rmtree(run.work / "merged", ignore_errors=True)
        for_cpu(config)
        _merge(run, config, adapter, model, modules, {"CUDA_VISIBLE_DEVICES": ""})
    complete(run.work / "merged", tokenizer)
    base = _folder(model)
    come_from = read_json(run.done["train"] / LINEAGE)
    if come_from:  # a training of before there were cards has left none
        write_whole(run.work / "merged" / "README.md", merged_card(come_from | ({"checkpoint": took.folder.name} if took.said else {})))
    facts: Facts = dict(check_whole(run.work / "merged", weights_of(base).shapes if base else None))
    said = f"{facts['shards']} shard{'s' if facts['shards'] > 1 else ''}, {facts['bytes'] / 1e6:,.1f} MB"
    if took.said:
        facts |= {"checkpoint": {"step": took.step, "eval_loss": took.eval_loss, "folder": took.folder.name, "why": took.said}}
        said = f"{took.folder.name}: {said}"
    return facts | ({"by_processor": True} if by_processor else {}) | {"said": said}


def _folder(model: str) -> Path | None:
    """Where the base model's files are; None for one that is still to be fetched."""
    return Path(model) if is_folder(model) else snapshot(model)


def _check(run: Run, model: str, adapter: Path, tokenizer: Path) -> int:
    """Sees before anything is loaded that these belong together. Returns how many modules the merge must change, at least.

    Raises LorewrightError when they do not.
    """
    base = _folder(model)
    if not base:
        run.console.line(f"merge     {model} is not in the hub's cache, so it was not compared with the adapter before it is fetched")
        return 1
    found = check_together(Together(base, model, read_adapter(adapter), tokenizer if has_tokenizer(tokenizer) else base))
    for line in found.warnings:
        run.console.line(f"merge     {line}")
    return found.modules


def _merge(
    run: Run, config: Mapping[str, Any], adapter: Path, model: str, modules: int, variables: Mapping[str, str] | None = None
) -> None:
    """One run of Axolotl. model: the base. modules: how many must change, at least.

    Raises process.ToolError, and LorewrightError where Axolotl has passed over a part of the adapter.
    """
    write_whole(run.work / "axolotl.yaml", to_yaml(config, "The training's configuration, for the merge. Written by lorewright."))
    changed: list[int] = []
    with run.console.bar("merge") as bar:
        bar(0, None, "axolotl merge-lora")
        process.run(
            [str(envs.ensure("train").path / "bin" / "axolotl"), "merge-lora", "axolotl.yaml",
             "--lora-model-dir", str(adapter), "--output-dir", str(run.work)],
            environment=run.tool_environment("train", variables, model=model), log=run.paths.log("merge"), folder=run.work,
            on_line=lambda line: changed.extend(int(count) for count in APPLIED.findall(line)),
        )  # fmt: skip
    if changed and changed[-1] < modules:
        what = f"Axolotl put the adapter into {changed[-1]} of the {modules} modules it was trained for"
        raise LorewrightError(what, where=str(run.paths.log("merge")), remedy="serve it beside the base instead: serve.live: true")
