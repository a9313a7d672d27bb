"""Axolotl's configuration in the folder of a stage that runs Axolotl."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorewright.manifest import write_json, write_whole
from lorewright.plan import IN_NF4
from lorewright.stages.run import Run
from lorewright.training.attention import fall_back
from lorewright.training.render import SHARED_OUT, axolotl_config, from_nf4, to_yaml

ZERO_FILE = "deepspeed.json"


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
    if run.recipe.convert and "convert" in run.done:
        config = from_nf4(config, run.done["convert"] / IN_NF4)
    changes += fall_back(config) if run.accelerator == "cuda" else []
    if stage == "train":
        for change in changes:
            run.console.line(f"train     {change}")
    return config


def write_config(run: Run, stage: str, config: Mapping[str, Any], command: str = "") -> None:
    """axolotl.yaml in the stage's folder, usable by hand there. command: by which; DeepSpeed's settings become a file beside it."""
    written = dict(config) if stage == "train" else {key: value for key, value in config.items() if key not in SHARED_OUT}
    if isinstance(written.get("deepspeed"), dict):
        write_json(run.work / ZERO_FILE, written["deepspeed"])
        written["deepspeed"] = ZERO_FILE
    by_hand = command or f"axolotl {'train' if stage == 'train' else 'preprocess'} axolotl.yaml"
    header = f"Axolotl's configuration of recipe {run.recipe.name}, written by lorewright.\nBy hand, in this folder: {by_hand}"
    write_whole(run.work / "axolotl.yaml", to_yaml(written, header))
