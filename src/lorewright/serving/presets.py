"""What a model's family wants: sampling where a request leaves it open, and whether it thinks first. The facts are in families.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lorewright.errors import LorewrightError
from lorewright.recipe import Recipe, is_folder, split_revision

FACTS = Path(__file__).with_name("families.yaml")


@dataclass(frozen=True)
class Preset:
    """family: empty when none fits. sampling: vLLM's names. template: variables of the chat template.

    parser: vLLM's reasoning_parser, which parts thought from answer; effort: gpt-oss's, when a request names none.
    """

    family: str = ""
    sampling: Mapping[str, float] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    parser: str = ""
    effort: str = ""

    def arguments(self) -> dict[str, Any]:
        """vLLM's arguments for it; nothing for what it leaves as it is."""
        found = {
            "override_generation_config": dict(self.sampling),
            "default_chat_template_kwargs": dict(self.template),
            "reasoning_parser": self.parser,
        }
        return {key: value for key, value in found.items() if value}


@cache
def families() -> dict[str, dict[str, Any]]:
    """The families by name, in the order they are tried."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    return loaded


def family_of(model: str) -> str:
    """The family of a hub name or a folder; empty when none fits. A folder's own type goes before its name."""
    kind = _model_type(Path(model)) if is_folder(model) else ""
    typed = (name for name, facts in families().items() if kind and kind in facts.get("types", ()))
    short = split_revision(model)[0].rstrip("/").rpartition("/")[2]
    named = (name for name, facts in families().items() if re.search(facts["names"], short, re.IGNORECASE))
    return next(named, "") or next(typed, "")


def _model_type(folder: Path) -> str:
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(facts.get("model_type", "")) if isinstance(facts, dict) else ""


def preset_of(recipe: Recipe) -> Preset:
    """What the recipe's serve.preset and serve.thinking mean for its model.

    Raises LorewrightError for a preset that there is not, and for thinking that the family cannot do.
    """
    wanted, thinking = recipe.serve.preset, recipe.serve.thinking
    if wanted not in ("auto", "none", *families()):
        choice = f"auto, none or one of {', '.join(families())}"
        raise LorewrightError(f"serve.preset: there is no {wanted!r}", where=str(recipe.file), remedy=choice)
    family = family_of(recipe.base_model) if wanted in ("auto", "none") else wanted
    facts = families().get(family, {})
    able = facts.get("thinking", {})
    _check_thinking(recipe, family, able)
    thinks = thinking if isinstance(thinking, bool) else bool(able.get("default"))
    switched = isinstance(thinking, bool)
    sampling = able.get("sampling", facts.get("sampling", {})) if thinks else facts.get("sampling", {})
    return Preset(
        family,
        {} if wanted == "none" else sampling,
        {able["switch"]: thinking} if switched else {},
        able.get("parser", "") if thinking is True else "",  # a model that was trained not to think would answer in thoughts only
        thinking if isinstance(thinking, str) else "",
    )


def _check_thinking(recipe: Recipe, family: str, able: Mapping[str, Any]) -> None:
    thinking = recipe.serve.thinking
    allowed = (*(("on", "off") if "switch" in able else ()), *able.get("effort", ()))
    written = {True: "on", False: "off"}.get(thinking, "") if isinstance(thinking, bool) else thinking
    if thinking is not None and written not in allowed:
        what = f"serve.thinking: {written} is nothing that {family or 'this model'} takes"
        remedy = f"choose {', '.join(allowed)}" if allowed else "leave it out, or name the family with serve.preset"
        raise LorewrightError(what, where=str(recipe.file), remedy=remedy)
