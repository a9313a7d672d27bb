"""The adapter goes into the base model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright import envs, process
from lorewright.manifest import read_json, write_whole
from lorewright.models.card import merged_card
from lorewright.models.lineage import NAME as LINEAGE
from lorewright.models.lineage import rights
from lorewright.models.merge import check_whole, complete
from lorewright.plan import Step
from lorewright.recipe import split_revision
from lorewright.stages.run import Facts, Run
from lorewright.training.ladder_record import trained_model
from lorewright.training.out_of_memory import ran_out
from lorewright.training.plugins import without_ours
from lorewright.training.render import SHARED_OUT, for_cpu, to_yaml


def merge(step: Step, run: Run) -> Facts:
    """The adapter goes into the base model, shard by shard."""
    adapter = run.done["train"] / "adapter"
    config = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text(encoding="utf-8"))
    model = trained_model(run.done["train"], run.recipe.base_model)
    config = without_ours({key: value for key, value in config.items() if key not in SHARED_OUT})
    config["base_model"] = split_revision(model)[0]  # the folder may have moved since
    by_processor = False
    try:
        _merge(run, config, adapter, model)
    except process.ToolError as problem:
        if run.accelerator == "cpu" or not ran_out(problem.log, problem.code, 0):
            raise
        run.console.line("merge     out of memory while merging on the card: once more, on the processor")
        by_processor = True
        shutil.rmtree(run.work / "merged", ignore_errors=True)
        for_cpu(config)
        _merge(run, config, adapter, model, {"CUDA_VISIBLE_DEVICES": ""})
    complete(run.work / "merged", adapter)
    come_from = read_json(run.done["train"] / LINEAGE)
    if come_from:  # a training of before there were cards has left none
        # the rights may have been noted since
        write_whole(run.work / "merged" / "README.md", merged_card(come_from | {"rights": rights(run.recipe)}))
    facts = check_whole(run.work / "merged")
    said = f"{facts['shards']} shard{'s' if facts['shards'] > 1 else ''}, {facts['bytes'] / 1e6:,.1f} MB"
    return facts | ({"by_processor": True} if by_processor else {}) | {"said": said}


def _merge(run: Run, config: Mapping[str, Any], adapter: Path, model: str, variables: Mapping[str, str] | None = None) -> None:
    """One run of Axolotl. model: the base. Raises process.ToolError."""
    write_whole(run.work / "axolotl.yaml", to_yaml(config, "The training's configuration, for the merge. Written by lorewright."))
    with run.console.bar("merge") as bar:
        bar(0, None, "axolotl merge-lora")
        process.run(
            [str(envs.ensure("train").path / "bin" / "axolotl"), "merge-lora", "axolotl.yaml",
             "--lora-model-dir", str(adapter), "--output-dir", str(run.work)],
            environment=run.tool_environment("train", variables, model=model), log=run.paths.log("merge"), folder=run.work,
        )  # fmt: skip
