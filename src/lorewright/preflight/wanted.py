"""The training that is asked for, as the checks look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.plan import Paths, Plan
from lorewright.recipe import Recipe
from lorewright.training.render import axolotl_config


@dataclass(frozen=True)
class Wanted:
    """config: Axolotl's, as it will be used on this machine. work: the folder the training writes into, once that is known.

    ledger: the folder of the set's ledger that will be used; None where it is not known yet.
    """

    recipe: Recipe
    plan: Plan
    paths: Paths
    config: Mapping[str, Any]
    accelerator: str
    work: Path | None = None
    ledger: Path | None = None

    @property
    def model(self) -> str:
        """The base model, as name@revision; after the ladder it may be another than the recipe's."""
        name, revision = self.config["base_model"], self.config.get("revision_of_model")
        return f"{name}@{revision}" if revision else str(name)

    @property
    def on_card(self) -> bool:
        return self.accelerator == "cuda"

    @property
    def helps_loading(self) -> bool:
        """Whether the out-of-memory ladder has a step for a model that does not load."""
        steps = {rung.step for rung in self.recipe.train.on_out_of_memory}
        quantises = "quantise" in steps and bool(self.config.get("adapter")) and not self.config.get("load_in_4bit")
        return quantises or "fallback_model" in steps


def wanted_by(recipe: Recipe, plan: Plan, paths: Paths, accelerator: str) -> Wanted | None:
    """What a recipe that has not been run would train; None for one that trains nothing."""
    if recipe.axolotl is None or recipe.data is None:
        return None
    template = Path(recipe.chat_template).read_text(encoding="utf-8") if recipe.chat_template else None
    config, _ = axolotl_config(recipe, training="", validation="", accelerator=accelerator, template=template)
    return Wanted(recipe, plan, paths, config, accelerator)
