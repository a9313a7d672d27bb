"""The adapter goes into the base model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_json, write_whole
from lorewright.models.adapter import read_adapter
from lorewright.models.belongs import Together, check_together
from lorewright.models.card import merged_card
from lorewright.models.checkpoint import Chosen, chosen
from lorewright.models.hub import snapshot
from lorewright.models.lineage import NAME as LINEAGE
from lorewright.models.lineage import rights
from lorewright.models.merge import check_whole, complete
from lorewright.models.tokenizer import has_tokenizer
from lorewright.models.weights import weights_of
from lorewright.plan import Step
from lorewright.recipe import is_folder, split_revision
from lorewright.stages.run import Facts, Run
from lorewright.training.ladder_record import trained_model
from lorewright.training.out_of_memory import ran_out
from lorewright.training.plugins import VARIABLES, for_merge, without_ours
from lorewright.training.render import SHARED_OUT, for_cpu, to_yaml

APPLIED = re.compile(r"Applied LoRA to (\d+)/\d+ tensors")  # Axolotl's own count, at its end


@dataclass(frozen=True)
class Parts:
    """What is merged. model: the base, by its name or folder. base: where its files are; None for one that is still to be fetched."""

    took: Chosen
    model: str
    base: Path | None
    tokenizer: Path


def merge(step: Step, run: Run) -> Facts:
    """The adapter goes into the base model, shard by shard."""
    trained = run.done["train"] / "adapter"
    took = chosen(trained, run.recipe.merge.checkpoint)
    if took.said:
        run.console.line(f"merge     {took.said}")
    model = trained_model(run.done["train"], run.recipe.base_model)
    base = Path(model) if is_folder(model) else snapshot(model)
    parts = Parts(took, model, base, took.folder if has_tokenizer(took.folder) else trained)
    modules = _check(run, parts)
    by_processor = _merged(run, parts, modules)
    return _completed(run, parts) | ({"by_processor": True} if by_processor else {})


def _check(run: Run, parts: Parts) -> int:
    """Sees before anything is loaded that these belong together. Returns how many modules the merge must change, at least.

    Raises LorewrightError when they do not.
    """
    adapter, tokenizer = read_adapter(parts.took.folder), parts.tokenizer
    if not parts.base:
        run.console.line(f"merge     {parts.model} is still to be fetched, so it was not compared with the adapter")
        return 1
    found = check_together(Together(parts.base, parts.model, adapter, tokenizer if has_tokenizer(tokenizer) else parts.base))
    for line in found.warnings:
        run.console.line(f"merge     {line}")
    return found.modules


def _merged(run: Run, parts: Parts, modules: int) -> bool:
    """Leaves the merged weights. Returns whether the card had no room, so that the processor did it."""
    config = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text(encoding="utf-8"))
    config = without_ours({key: value for key, value in config.items() if key not in SHARED_OUT})
    config |= _base(run, parts.model)
    try:
        _merge(run, config, parts, modules)
    except process.ToolError as problem:
        if run.accelerator == "cpu" or not ran_out(problem.log, problem.code, 0):
            raise
        run.console.line("merge     out of memory while merging on the card: once more, on the processor")
        for_cpu(config)
        _merge(run, config, parts, modules, {"CUDA_VISIBLE_DEVICES": ""})
        return True
    return False


def _base(run: Run, model: str) -> dict[str, Any]:
    """The base model as the merge is told of it: the original, though a training may have started from it as it was converted.

    Experts that are stored in 16 bits were in 4, then.
    """
    name, revision = split_revision(model)
    converted = run.recipe.convert and model == run.recipe.base_model
    told: dict[str, Any] = {"base_model": name} | ({"revision_of_model": revision} if revision else {})
    return told | ({"quantize_moe_experts": True} if converted else {})


def _completed(run: Run, parts: Parts) -> Facts:
    """Puts beside the weights what belongs there, and looks all of it through. Raises LorewrightError when it is not whole."""
    merged, took = run.work / "merged", parts.took
    complete(merged, parts.tokenizer)
    come_from = read_json(run.done["train"] / LINEAGE)
    if come_from:  # a training of before there were cards has left none
        noted = [*(dict(come_from.get("rights") or []) | dict(rights(run.recipe))).items()]
        come_from |= {"rights": noted} | ({"checkpoint": took.folder.name} if took.said else {})  # noted since, perhaps
        write_whole(merged / "README.md", merged_card(come_from))
        write_json(merged / LINEAGE, {key: value for key, value in come_from.items() if key != "took"})  # the same each time
    facts: Facts = dict(check_whole(merged, weights_of(parts.base).shapes if parts.base else None))
    said = f"{facts['shards']} shard{'s' if facts['shards'] > 1 else ''}, {facts['bytes'] / 1e6:,.1f} MB"
    if took.said:
        facts |= {"checkpoint": {"step": took.step, "eval_loss": took.eval_loss, "folder": took.folder.name, "why": took.said}}
        said = f"{took.folder.name}: {said}"
    return facts | {"said": said}


def _merge(run: Run, config: Mapping[str, Any], parts: Parts, modules: int, variables: Mapping[str, str] | None = None) -> None:
    """One run of Axolotl. modules: how many must change, at least.

    Raises process.ToolError, and LorewrightError where Axolotl has passed over a part of the adapter.
    """
    header = "The training's configuration, for the merge. Written by lorewright."
    write_whole(run.work / "axolotl.yaml", to_yaml(for_merge(config, run.work), header))
    shutil.rmtree(run.work / "merged", ignore_errors=True)  # what an interrupted merge has left
    changed: list[int] = []
    with run.console.bar("merge") as bar:
        bar(0, None, "axolotl merge-lora")
        process.run(
            [str(envs.ensure("train").path / "bin" / "axolotl"), "merge-lora", "axolotl.yaml",
             "--lora-model-dir", str(parts.took.folder), "--output-dir", str(run.work)],
            environment=run.tool_environment("train", VARIABLES | dict(variables or {}), model=parts.model),
            log=run.paths.log("merge"), folder=run.work,
            on_line=lambda line: changed.extend(int(count) for count in APPLIED.findall(line)),
        )  # fmt: skip
    if changed and changed[-1] < modules:
        what = f"Axolotl put the adapter into {changed[-1]} of the {modules} modules it was trained for"
        raise LorewrightError(what, where=str(run.paths.log("merge")), remedy="serve it beside the base instead: serve.live: true")
