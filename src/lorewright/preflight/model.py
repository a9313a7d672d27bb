"""The base model before it is loaded: is all of it here, what is in it, and has it a chat template?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright.models.tokenizer import has_tokenizer
from lorewright.models.weights import Weights, weights_of
from lorewright.serving.template import FILES as TEMPLATES
from lorewright.serving.template import has_template


@dataclass(frozen=True)
class Model:
    """What is known of a base model.

    name: folder or hub name. config: its config.json. parameters, stored, largest: how many, bytes of all files and of the largest; 0
    where unknown. to_fetch: bytes that are still to come from the hub. template: whether it has one; None where that is not known.
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    stored: int = 0
    largest: int = 0
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    to_fetch: int = 0
    template: bool | None = None


def of_folder(name: str, folder: Path) -> tuple[Model, list[str]]:
    """The model in a folder, and what is wrong with it, in words. name: how the recipe calls it."""
    config, faults = _json(folder / "config.json", needed=True)
    if not faults and "model_type" not in config:
        faults.append("config.json names no model_type")
    faults += _tokenizer(folder)
    weights = weights_of(folder)
    model = Model(
        name, config, _parameters(weights, config), weights.bytes, weights.largest, weights.shapes,
        template=None if faults else has_template(str(folder), None),
    )  # fmt: skip
    return model, [*faults, *weights.faults]


def _parameters(weights: Weights, config: Mapping[str, Any]) -> int:
    """A quantised model stores several values in one number: then its bytes say more (MXFP4 and NF4: half a byte each)."""
    if config.get("quantization_config"):
        return max(weights.parameters, 2 * weights.bytes)
    return weights.parameters or weights.bytes // 2


def _tokenizer(folder: Path) -> list[str]:
    if not has_tokenizer(folder):
        return ["there is no tokenizer (tokenizer.json)"]
    faults = []
    for name, needed in (("tokenizer.json", False), ("tokenizer_config.json", False)):
        faults += _json(folder / name, needed=needed)[1]
    return faults


def _json(file: Path, *, needed: bool) -> tuple[dict[str, Any], list[str]]:
    if not file.is_file():
        return {}, [f"{file.name} is missing"] if needed else []
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    return (found, []) if isinstance(found, dict) else ({}, [f"{file.name} cannot be read"])


def listed_template(files: Mapping[str, int], tokenizer_config: Any) -> bool | None:
    """Whether a model on the hub has a template, by its files' names and what the hub tells of its tokenizer; None: it does not tell."""
    if any(file.partition("/")[0] in TEMPLATES for file in files):
        return True
    return bool(tokenizer_config.get("chat_template")) if isinstance(tokenizer_config, dict) else None
