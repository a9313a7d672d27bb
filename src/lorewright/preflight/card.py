"""The card's memory: is there room for the model, and who holds the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lorewright import process, services
from lorewright.locks import card_holders
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.preflight.model import Model
from lorewright.preflight.said import gib
from lorewright.preflight.wanted import Wanted
from lorewright.serving.gpu import Card, Tenant, tenants

MIB = 2**20
WORTH_SAYING = 1024  # MiB: a desktop takes less
# Bytes of a parameter of the loaded base model, at the least: what is not quantised (embeddings, norms) comes on top.
QUANTISED = (("load_in_4bit", 0.5), ("load_in_8bit", 1.0))
SPREAD = ("deepspeed", "fsdp", "fsdp_config", "layer_offloading")  # then a card holds only a part of the model
FALLS_BACK = "it will take the first step of train.on_out_of_memory that helps"


def room(wanted: Wanted | None, model: Model, cards: Sequence[Card]) -> list[Found]:
    """A line a card that holds what others need to know, and one for the room. wanted: None for a look at the machine alone."""
    held = tenants()
    found = []
    for card in cards:
        here = [tenant for tenant in held if tenant.card == card.uuid]
        found += list(_on(card, here, wanted, model))
    return found


def _on(card: Card, here: Sequence[Tenant], wanted: Wanted | None, model: Model) -> Iterator[Found]:
    name = f"card {card.number}"
    servers = _servers(card)
    freed, strangers = 0, []
    for tenant in here:
        server = next((facts for facts, pids in servers if tenant.pid in pids), None)
        trainer = None if server else _trainer(card, tenant.pid)
        if server or trainer:
            freed += tenant.held
            yield _ours(name, tenant, server, trainer, wanted)
        elif tenant.held >= WORTH_SAYING:
            strangers.append(
                f"pid {tenant.pid} ({services.command_name(tenant.pid) or Path(tenant.name).name}) holds {gib(tenant.held * MIB)}"
            )
    unseen = card.total - card.free - sum(tenant.held for tenant in here) if card.total and card.free else 0
    if not here and unseen >= WORTH_SAYING:
        strangers.append(f"{gib(unseen * MIB)} are held by what cannot be seen from here (another container, or Windows)")
    yield _verdict(name, card, freed, strangers, least_bytes(wanted, model) if wanted else 0, bool(wanted and wanted.helps_loading))


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


def _servers(card: Card) -> list[tuple[dict[str, Any], list[int]]]:
    """(facts, processes) of the vLLMs that we have started on the card; a crashed one's facts say so."""
    found = []
    for record in (Path(holder["record"]) for holder in card_holders(card.uuid) if holder["record"]):
        facts = services.running(record)
        left, pids = ({}, []) if facts else services.leftover(record)
        if facts or left:
            found.append((facts, process.members(facts)) if facts else (left | {"crashed": True}, pids))
    return found


def _trainer(card: Card, pid: int) -> str:
    """Which training of ours a process belongs to; empty for none."""
    trainings = {int(holder["pid"]): str(holder["said"]) for holder in card_holders(card.uuid) if not holder["record"]}
    while pid > 1:
        if pid in trainings:
            return f"{trainings[pid]} (pid {pid})"
        pid = process.parent(pid)
    return ""


def _ours(name: str, tenant: Tenant, server: Mapping[str, Any] | None, trainer: str | None, wanted: Wanted | None) -> Found:
    """What becomes of a server or a training of ours when this training begins: the recipe's serve.when_training."""
    who = f"{server['name']} of {server['recipe']} (pid {tenant.pid}, port {server['port']})" if server else str(trainer)
    said = f"{who} holds {gib(tenant.held * MIB)}"
    if server and server.get("crashed"):
        return warn(name, f"{said}, left over from a crash", f"./lorewright stop {server['name']} ends it; a training does too")
    end = f"./lorewright stop {server['name']} --port {server['port']} ends it" if server else "Ctrl-C where it runs ends it"
    if wanted is None:
        return warn(name, said, end)
    rule = wanted.recipe.serve.when_training
    if rule == "refuse":
        return bad(name, f"{said}, and serve.when_training is refuse", f"{end}; or set serve.when_training to stop or wait")
    if rule == "stop" and server:
        return warn(name, said, "it is stopped when the training begins (serve.when_training: stop)")
    return warn(name, said, f"the training waits for it; {end}")


def _verdict(name: str, card: Card, freed: int, strangers: Sequence[str], least: float, helped: bool) -> Found:
    others = ", ".join(strangers)
    if not card.total or not card.free:
        return warn(name, "nvidia-smi does not tell how much memory is free", "look at it with nvidia-smi, should the training run out")
    free = (card.free + freed) * MIB
    said = f"{gib(free)} of {gib(card.total * MIB)} free" + (" then" if freed else "")
    if least > free:
        what = f"{said}, and the weights alone want {gib(least)}" + (f"; {others}" if others else "")
        if helped:
            return warn(name, what, FALLS_BACK)
        ends = "end that, or " if others else ""
        return bad(name, what, f"{ends}load them in 4 bit (adapter: qlora, load_in_4bit: true), or take a smaller base_model")
    if others:
        return warn(name, f"{said}; {others}", "end what is not needed")
    return good(name, said + (f", {gib(least)} for the weights" if least else ""))
