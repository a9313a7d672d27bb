"""Axolotl's configuration in the folder of a stage that runs Axolotl."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorewright.manifest import write_whole
from lorewright.stages.run import Run
from lorewright.training.render import axolotl_config, to_yaml


def write_axolotl_yaml(run: Run, stage: str) -> dict[str, Any]:
    """Writes the recipe's axolotl.yaml, says what was changed for this machine, and returns what it wrote."""
    config = recipe_config(run, stage)
    write_config(run, stage, config)
    return config


def recipe_config(run: Run, stage: str) -> dict[str, Any]:
    """Axolotl's configuration as the recipe has it, its paths relative to run.work; says what was changed for this machine."""
    prepared = os.path.relpath(run.done["prepare"], run.work)
    held_out = (run.done["prepare"] / "validation.jsonl").stat().st_size > 0
    template = Path(run.recipe.chat_template).read_text(encoding="utf-8") if run.recipe.chat_template else None
    config, changes = axolotl_config(
        run.recipe, training=f"{prepared}/training.jsonl", validation=f"{prepared}/validation.jsonl" if held_out else None,
        accelerator=run.accelerator, template=template,
    )  # fmt: skip
    if stage == "train":
        for change in changes:
            run.console.line(f"train     {change}")
    return config


def write_config(run: Run, stage: str, config: Mapping[str, Any]) -> None:
    """axolotl.yaml in the stage's folder, usable by hand there."""
    verb = "train" if stage == "train" else "preprocess"
    header = (
        f"Axolotl's configuration of recipe {run.recipe.name}, written by lorewright.\nBy hand, in this folder: axolotl {verb} axolotl.yaml"
    )
    write_whole(run.work / "axolotl.yaml", to_yaml(config, header))
