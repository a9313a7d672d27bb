"""Checks a recipe whose base model is converted before it is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lorewright.recipe.source import KeyPath

AS_CONVERTED = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}


def convert_problems(values: Mapping[str, Any], axolotl: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """axolotl: the recipe's section, empty where it has none."""
    if values.get("convert") != "nf4":
        return
    if not axolotl.get("load_in_4bit"):
        yield ("convert",), "a training in 4 bit starts from NF4; add adapter: qlora and load_in_4bit: true under axolotl:"
    asked = axolotl.get("bnb_config_kwargs")
    kwargs = asked if isinstance(asked, Mapping) else {}
    for key, value in AS_CONVERTED.items():
        if kwargs.get(key, value) != value:
            yield ("axolotl", "bnb_config_kwargs", key), f"with convert: nf4 it is {str(value).lower()}"
