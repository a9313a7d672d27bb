"""The out-of-memory ladder: from a configuration that did not fit to the next one to try. Pure.

Each step is a function of the present configuration. It gives the keys to change, or says why it has nothing to give. A step is
asked again until it has no more, so `micro_batch` alone goes from 4 to 2 to 1. A change that leaves the training's arithmetic alone
goes on from the newest checkpoint; any other begins anew, so that the adapter is what its final configuration makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.recipe import Rung, is_folder, split_revision
from lorewright.recipe.check_several import zero_stage
from lorewright.training.several import whole_step

Keys = dict[str, Any]
LEAST_LENGTH, LEAST_RANK = 256, 8  # where halving stops; a recipe that names a value may go below
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel")  # Axolotl refuses them beside an 8-bit model
# What would change nothing: a model that does not fit is not yet trained, and an evaluation keeps nothing for a backward pass.
NO_HELP = {
    "loading": ("micro_batch", "checkpointing", "offload", "sequence_len", "rank", "attention_only"),
    "evaluating": ("checkpointing", "offload"),
}


@dataclass(frozen=True)
class Taken:
    """A step that was taken. phase, at_step: when memory ran out. before, after: the keys it changed; None for a key that is not set.

    anew: whether training began anew. said: the change in words.
    """

    step: str
    phase: str
    at_step: int
    before: Keys
    after: Keys
    anew: bool
    said: str


@dataclass(frozen=True)
class Situation:
    """config: Axolotl's, as it ran out of memory. phase: what was being done (out_of_memory.phase). taken: the steps before."""

    config: Mapping[str, Any]
    phase: str
    taken: Sequence[Taken] = ()


@dataclass(frozen=True)
class Change:
    keys: Keys
    anew: bool


@dataclass(frozen=True)
class Cannot:
    why: str


def next_step(at: Situation, rungs: Sequence[Rung], at_step: int) -> Taken | list[str]:
    """The first step of the list that has something to give; else why each of them has not. at_step: as Taken has it."""
    reasons = []
    for rung in rungs:
        found: Change | Cannot = Cannot(f"does not help while {at.phase}")
        if rung.step not in NO_HELP.get(at.phase, ()):
            found = STEPS[rung.step](at, rung)
        if isinstance(found, Change):
            before = {key: at.config.get(key) for key in found.keys}
            return Taken(rung.step, at.phase, at_step, before, found.keys, found.anew, _said(before, found.keys))
        reasons.append(f"{rung.step}: {found.why}")
    return reasons


def applied(config: Mapping[str, Any], taken: Sequence[Taken]) -> Keys:
    """The configuration with all steps taken."""
    result = dict(config)
    for step in taken:
        result |= step.after
    return {key: value for key, value in result.items() if value is not None or key in config}


def _micro_batch(at: Situation, rung: Rung) -> Change | Cannot:
    """A smaller micro-batch, and the accumulation that keeps the examples of a step; for an evaluation its own batch.

    Packed samples are put together by the micro-batch's room: with another one a step has other samples, and an epoch other steps.
    """
    micro, gathered = whole_step(at.config)
    if at.phase == "evaluating":
        batch = int(at.config.get("eval_batch_size") or micro)
        return Change({"eval_batch_size": batch // 2}, anew=False) if batch > 1 else Cannot("one sample is evaluated at a time")
    least = int(rung.value or 1)
    most = least if rung.value else micro // 2
    smaller = next((size for size in range(min(most, micro - 1), 0, -1) if micro * gathered % size == 0), None)
    if smaller is None or micro <= least:
        return Cannot(f"micro_batch_size is {micro}")
    keys: Keys = {"micro_batch_size": smaller, "gradient_accumulation_steps": micro * gathered // smaller}
    if at.config.get("batch_size"):
        keys["batch_size"] = None  # Axolotl takes one of the two
    if int(at.config.get("eval_batch_size") or 1) > smaller:
        keys["eval_batch_size"] = smaller
    return Change(keys, anew=bool(at.config.get("sample_packing")))


def _checkpointing(at: Situation, rung: Rung) -> Change | Cannot:
    if at.config.get("gradient_checkpointing") or (at.config.get("fsdp_config") or {}).get("activation_checkpointing"):
        return Cannot("gradient_checkpointing is on")
    return Change({"gradient_checkpointing": True}, anew=False)


def _offload(at: Situation, rung: Rung) -> Change | Cannot:
    """What the backward pass starts from goes to the machine's memory; then the frozen layers do, one at a time on the card."""
    if at.config.get("device_map") == "cpu":
        return Cannot("without a card it is the same memory")
    if at.config.get("fsdp_config") or zero_stage(at.config.get("deepspeed")) == 3:
        return Cannot("the model is shared out to the cards; fsdp_config.offload_params or deepspeed/zero3_offload.json offloads it")
    if not at.config.get("activation_offloading") and at.config.get("gradient_checkpointing") not in ("offload", "offload_disk"):
        return Change({"gradient_checkpointing": True, "activation_offloading": "hidden_states"}, anew=False)
    if at.config.get("adapter") and not at.config.get("layer_offloading"):
        return Change({"layer_offloading": True}, anew=False)
    return Cannot("all is offloaded that can be")


def _quantise(at: Situation, rung: Rung) -> Change | Cannot:
    if not at.config.get("adapter"):
        return Cannot("a model that is trained whole cannot be quantised")
    if at.config.get("load_in_4bit"):
        return Cannot("the base model is in 4 bit")
    if zero_stage(at.config.get("deepspeed")) == 3:
        return Cannot("ZeRO-3 shares out the weights")
    if at.config.get("load_in_8bit"):
        return Change({"adapter": "qlora", "load_in_8bit": False, "load_in_4bit": True}, anew=True)
    return Change({"load_in_8bit": True} | {key: None for key in KERNELS if at.config.get(key)}, anew=True)


def _sequence_len(at: Situation, rung: Rung) -> Change | Cannot:
    """Shorter examples; they lose their end where the recipe does not say what becomes of longer ones, and are not dropped."""
    length = int(at.config.get("sequence_len") or 512)
    shorter = int(rung.value) if rung.value else max(length // 2, LEAST_LENGTH)
    if shorter >= length:
        return Cannot(f"sequence_len is {length}")
    kept = {} if at.config.get("excess_length_strategy") else {"excess_length_strategy": "truncate"}
    return Change({"sequence_len": shorter} | kept, anew=True)


def _rank(at: Situation, rung: Rung) -> Change | Cannot:
    """A smaller rank, and the alpha that keeps alpha / rank, which is how strongly the adapter speaks."""
    rank = int(at.config.get("lora_r") or 0)
    smaller = int(rung.value) if rung.value else max(rank // 2, LEAST_RANK)
    if smaller >= rank:
        return Cannot(f"lora_r is {rank}" if rank else "there is no adapter")
    alpha = at.config.get("lora_alpha")
    return Change({"lora_r": smaller} | ({"lora_alpha": max(1, round(alpha * smaller / rank))} if alpha else {}), anew=True)


def _attention_only(at: Situation, rung: Rung) -> Change | Cannot:
    targets = at.config.get("lora_target_modules") or []
    listed = [targets] if isinstance(targets, str) else list(targets)
    if not at.config.get("adapter"):
        return Cannot("there is no adapter")
    kept = [name for name in listed if name in ATTENTION]
    if kept == listed != [] and not at.config.get("lora_target_linear"):
        return Cannot("the adapter is on the attention alone")
    return Change({"lora_target_linear": None, "lora_target_modules": kept or list(ATTENTION)}, anew=True)


def _fallback_model(at: Situation, rung: Rung) -> Change | Cannot:
    """Another base model. What an earlier one had changed is taken back, so that each starts from the recipe's own keys."""
    name, revision = split_revision(str(rung.value))
    fallen = [step for step in at.taken if step.step == "fallback_model"]
    if any(step.after["base_model"] == name for step in fallen) or at.config.get("base_model") == name:
        return Cannot(f"{name} was tried")
    back: Keys = dict(fallen[-1].before) if fallen else {}
    return Change(back | {"base_model": name, "revision_of_model": revision or None} | dict(rung.axolotl), anew=True)


STEPS: dict[str, Callable[[Situation, Rung], Change | Cannot]] = {
    "micro_batch": _micro_batch,
    "checkpointing": _checkpointing,
    "offload": _offload,
    "quantise": _quantise,
    "sequence_len": _sequence_len,
    "rank": _rank,
    "attention_only": _attention_only,
    "fallback_model": _fallback_model,
}


def _said(before: Keys, after: Keys) -> str:
    return ", ".join(f"{key} {_shown(before[key])} -> {_shown(value)}" for key, value in after.items() if before[key] != value)


def _shown(value: Any) -> str:
    """A folder by its name: the words reach the model card, which leaves this machine."""
    if isinstance(value, str) and is_folder(value):
        return Path(value).name
    if isinstance(value, list):
        return "+".join(map(str, value))
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
