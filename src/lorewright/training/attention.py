"""Which attention a training takes: the recipe's, or where its FlashAttention is not installed, the next best that keeps the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorewright import envs, extras
from lorewright.errors import LorewrightError
from lorewright.training.forecast.found import find_model

FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_3"}  # attn_implementation -> its package
OLD = {
    "flash_attention": "flash_attention_2",
    "xformers_attention": "xformers",
    "flex_attention": "flex_attention",
    "sage_attention": "sage",
}


def attention(config: Mapping[str, Any]) -> str:
    """What Axolotl will take: the old switches stand for a name. Nothing is said of what it takes by itself."""
    return str(config.get("attn_implementation") or next((name for key, name in OLD.items() if config.get(key)), ""))


def installed(package: str) -> bool:
    """In the train environment, or beside it."""
    beside = {module.partition(".")[0] for name, (_, module, _) in extras.NAMES.items() if name in extras.added()}
    return package in beside or any(envs.locate("train").path.glob(f"lib/python*/site-packages/{package}"))


def instead(config: Mapping[str, Any]) -> str:
    """What computes the same without FlashAttention. With sdpa packed samples would see each other, and gpt-oss would lose its sinks."""
    if config.get("sample_packing"):
        return "flex_attention"
    name, revision = str(config["base_model"]), config.get("revision_of_model")
    try:
        kind = find_model(f"{name}@{revision}" if revision else name).shape.kind
    except LorewrightError:  # a model of which nothing is known here
        kind = ""
    return "eager" if kind == "gpt_oss" else "sdpa"


def fall_back(config: dict[str, Any]) -> list[str]:
    """Changes the configuration where the FlashAttention that it asks for is not there; says how, in words."""
    asked = attention(config)
    if asked not in FLASH or installed(FLASH[asked]):
        return []
    config.pop("flash_attention", None)
    config["attn_implementation"] = instead(config)
    return [f"attn_implementation {asked} became {config['attn_implementation']}: the train environment has no {FLASH[asked]}"]
