"""Which tensors of a checkpoint become NF4: what Axolotl would quantise on loading with load_in_4bit and quantize_moe_experts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.models.nf4.source import Stored

FLOATS = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
BLOCKS, SCALES = "_blocks", "_scales"
# Linear layers, but not what is looked up, what routes to experts, what normalises, and the last one.
LEFT = re.compile(r"(^|\.)(lm_head|score|embed\w*|wte|wpe|router|gate|\w*norm\w*|ln_\w+)\.weight$")
APART = re.compile(r"\.experts\.\d+\.")


@dataclass(frozen=True)
class Item:
    """A tensor of the result. kind: copy, floats or mxfp4. shape: in the model. dtype: by torch's name. scales: of mxfp4."""

    name: str
    kind: str
    stored: Stored
    shape: tuple[int, ...]
    dtype: str = ""
    scales: Stored | None = None

    @property
    def values(self) -> int:
        total = 1
        for size in self.shape:
            total *= size
        return total


def items_of(tensors: list[Stored], *, experts_only: bool) -> list[Item]:
    """What becomes of each tensor, in their order. experts_only: linear layers stay as they are.

    Raises LorewrightError for experts of a form that cannot be converted, and when nothing is to be done.
    """
    by_name = {stored.name: stored for stored in tensors}
    items = []
    for stored in tensors:
        base = stored.name.removesuffix(SCALES)
        if base != stored.name and base + BLOCKS in by_name:
            continue
        items.append(_item(stored, by_name, experts_only=experts_only))
    if all(item.kind == "copy" for item in items):
        raise LorewrightError("has no experts or linear layers to be quantised", remedy="is it a model of text, in 16 bits or MXFP4?")
    return items


def _item(stored: Stored, by_name: dict[str, Stored], *, experts_only: bool) -> Item:
    if stored.name.endswith(BLOCKS):
        return _mxfp4(stored, by_name)
    if APART.search(stored.name):
        remedy = "only experts that are stored together, as gpt-oss has them, can be converted"
        raise LorewrightError(f"{stored.name}: the experts are stored one by one", where=str(stored.file), remedy=remedy)
    dimensions = len(stored.shape)
    expert = dimensions == 3 and "expert" in stored.name.lower()
    linear = dimensions == 2 and stored.name.endswith(".weight") and not LEFT.search(stored.name) and not experts_only
    if stored.dtype in FLOATS and (expert or linear):
        return Item(stored.name, "floats", stored, stored.shape, FLOATS[stored.dtype])
    return Item(stored.name, "copy", stored, stored.shape)


def _mxfp4(blocks: Stored, by_name: dict[str, Stored]) -> Item:
    name = blocks.name.removesuffix(BLOCKS)
    scales = by_name.get(name + SCALES)
    if scales is None:
        raise LorewrightError(f"{blocks.name} has no scales beside it", where=str(blocks.file))
    if len(blocks.shape) != 4 or blocks.shape[3] != 16 or scales.shape != blocks.shape[:3] or {blocks.dtype, scales.dtype} != {"U8"}:
        raise LorewrightError(f"{blocks.name} and its scales do not have the shapes of MXFP4 experts", where=str(blocks.file))
    experts, rows, groups, _ = blocks.shape
    return Item(name, "mxfp4", blocks, (experts, groups * 32, rows), "bfloat16", scales)


def check_kind(config: Mapping[str, Any], where: Path) -> None:
    """config: a model's config.json. Raises LorewrightError for a checkpoint that is quantised in another way."""
    method = (config.get("quantization_config") or {}).get("quant_method")
    if method == "bitsandbytes":
        remedy = "it need not be converted: with this base_model leave `convert` out"
        raise LorewrightError("is quantised already (bitsandbytes)", where=str(where), remedy=remedy)
    if method not in (None, "mxfp4"):
        raise LorewrightError(f"is quantised already ({method})", where=str(where), remedy="give the model in 16 bits or in MXFP4")


def config_of(config: dict[str, Any], items: list[Item], where: Path) -> dict[str, Any]:
    """config.json of the result. Raises LorewrightError for a checkpoint that is quantised in another way."""
    check_kind(config, where)
    left = [item.name.removesuffix(".weight") for item in items if _left(item)]
    quantisation = {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": "uint8",
        "llm_int8_skip_modules": sorted({*left, "lm_head"}),
    }  # fmt: skip
    return config | {"quantization_config": quantisation}


def _left(item: Item) -> bool:
    return item.kind == "copy" and len(item.shape) == 2 and item.name.endswith(".weight")
