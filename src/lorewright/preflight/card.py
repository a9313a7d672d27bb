"""The card's memory: is there room for the model, and who holds the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright import services
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.preflight.holders import Held, Ours, held
from lorewright.preflight.model import Model
from lorewright.preflight.said import gib
from lorewright.preflight.wanted import Wanted
from lorewright.serving.gpu import Card, Tenant, tenants

MIB = 2**20
# Bytes of a parameter of the loaded base model, at the least: what is not quantised (embeddings, norms) comes on top.
QUANTISED = (("load_in_4bit", 0.5), ("load_in_8bit", 1.0))
SPREAD = ("deepspeed", "fsdp", "fsdp_config", "layer_offloading")  # then a card holds only a part of the model
FALLS_BACK = "it will take the first step of train.on_out_of_memory that helps"


def room(wanted: Wanted | None, model: Model, cards: Sequence[Card]) -> list[Found]:
    """A line for what of ours holds a card, and one for the room on it. wanted: None for a look at the machine alone."""
    named = tenants()
    return [found for card in cards for found in _on(card, held(card, named), wanted, model)]


def _on(card: Card, here: Held, wanted: Wanted | None, model: Model) -> Iterator[Found]:
    name = f"card {card.number}"
    yield from (_ours(name, holder, wanted.recipe.serve.when_training if wanted else "") for holder in here.ours)
    freed = sum(holder.held for holder in here.ours) or (here.unseen if here.ours else 0)
    others = [_stranger(tenant) for tenant in here.strangers]
    if here.unseen and not here.ours:
        others.append(f"{gib(here.unseen * MIB)} are held by what cannot be seen from here (another container, or Windows)")
    space = Space(card, freed, ", ".join(others))
    yield _verdict(name, space, least_bytes(wanted, model) if wanted else 0, helped=bool(wanted and wanted.helps_loading))


def _stranger(tenant: Tenant) -> str:
    called = services.command_name(tenant.pid) or Path(tenant.name).name
    return f"pid {tenant.pid} ({called}) holds {gib(tenant.held * MIB)}"


def least_bytes(wanted: Wanted, model: Model) -> float:
    """What the weights take on a card at the least; 0 where they are spread over several, or where nothing is known of the model."""
    config = wanted.config
    if any(config.get(key) for key in SPREAD):
        return 0.0
    return loaded_bytes(config, model)


def loaded_bytes(config: Mapping[str, Any], model: Model) -> float:
    """What the loaded weights take at the least."""
    if model.config.get("quantization_config"):
        return float(model.stored)
    half = config.get("bf16") or config.get("fp16") or config.get("bfloat16") or config.get("float16")
    size = next((size for key, size in QUANTISED if config.get(key)), 2.0 if half else 4.0)
    return size * model.parameters


def _ours(name: str, holder: Ours, rule: str) -> Found:
    """What becomes of it when this training begins. rule: the recipe's serve.when_training; "" for a look at the machine alone."""
    said = holder.said + (f" holds {gib(holder.held * MIB)}" if holder.held else " has it")
    if not rule:
        return warn(name, said, holder.end)
    if holder.gone:
        return warn(name, said, "it is ended when the training begins")
    if rule == "refuse":
        return bad(name, f"{said}, and serve.when_training is refuse", f"{holder.end}; or set serve.when_training to stop or wait")
    if rule == "stop" and holder.server:
        return warn(name, said, "it is stopped when the training begins (serve.when_training: stop)")
    return warn(name, said, f"the training waits for it; {holder.end}")


@dataclass(frozen=True)
class Space:
    """freed: MiB that will be free too when the training begins. others: strangers, in words."""

    card: Card
    freed: int
    others: str


def _verdict(name: str, space: Space, least: float, *, helped: bool) -> Found:
    if not space.card.total or not space.card.free:
        return warn(name, "nvidia-smi does not tell how much memory is free", "look at it with nvidia-smi, should the training run out")
    free = (space.card.free + space.freed) * MIB
    said = f"{gib(free)} of {gib(space.card.total * MIB)} free" + (" then" if space.freed else "")
    if least > free:
        what = f"{said}, and the weights alone want {gib(least)}" + (f"; {space.others}" if space.others else "")
        if helped:
            return warn(name, what, FALLS_BACK)
        ends = "end that, or " if space.others else ""
        return bad(name, what, f"{ends}load them in 4 bit (adapter: qlora, load_in_4bit: true), or take a smaller base_model")
    if space.others:
        return warn(name, f"{said}; {space.others}", "end what is not needed")
    return good(name, said + (f", {gib(least)} for the weights" if least else ""))
