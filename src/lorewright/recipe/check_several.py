"""What cannot go together where a training is shared out to several cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lorewright.recipe.source import KeyPath


def several_problems(train: Mapping[str, Any], axolotl: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """(place, problem). axolotl: the recipe's section, with the content of DeepSpeed's file in it."""
    zero, fsdp = axolotl.get("deepspeed"), axolotl.get("fsdp_config") or axolotl.get("fsdp")
    if zero and fsdp:
        yield ("axolotl", "deepspeed"), "stands beside fsdp_config; both share out the model, leave one of them out"
    if train.get("launcher") == "deepspeed" and not zero:
        yield ("train", "launcher"), "deepspeed needs its settings; set axolotl.deepspeed, for example to deepspeed/zero2.json"
    quantised = next((key for key in ("load_in_4bit", "load_in_8bit") if axolotl.get(key)), "")
    if quantised and zero_stage(zero) == 3:
        yield ("axolotl", "deepspeed"), f"ZeRO-3 shares out weights, which {quantised} has packed; take zero2.json, or FSDP"
    if train.get("keep_batch") is False and train.get("devices", "all") == "all":
        yield (
            ("train", "devices"),
            "with keep_batch: false the number of cards makes the result; set it to a number",
        )
    if isinstance(fsdp, dict) and fsdp.get("state_dict_type", "FULL_STATE_DICT") != "FULL_STATE_DICT":
        yield (
            ("axolotl", "fsdp_config", "state_dict_type"),
            "a checkpoint would hold the adapter in pieces, from which nothing goes on here; set it to FULL_STATE_DICT",
        )


def zero_stage(zero: Any) -> int:
    """The ZeRO stage of DeepSpeed's settings; 0 for none."""
    part = zero.get("zero_optimization") if isinstance(zero, dict) else None
    found = part.get("stage") if isinstance(part, dict) else None
    return found if isinstance(found, int) else 0
