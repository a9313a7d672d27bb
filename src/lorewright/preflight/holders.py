"""Who holds a card's memory: servers and trainings of ours, with what ends them, and strangers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright import process, services
from lorewright.locks import card_held, card_holders
from lorewright.serving.gpu import Card, Tenant

WORTH_SAYING = 1024  # MiB: a desktop takes less


@dataclass(frozen=True)
class Ours:
    """said: what it is. held: MiB, 0 where nvidia-smi names nobody. end: what ends it. server: else a training.

    gone: what is left of a crashed server, or a server of this very run: it is ended for the training, whatever the rule.
    """

    said: str
    held: int
    end: str
    server: bool
    gone: bool = False


@dataclass(frozen=True)
class Held:
    """unseen: MiB that are held by what nvidia-smi does not name."""

    ours: tuple[Ours, ...]
    strangers: tuple[Tenant, ...]
    unseen: int


def held(card: Card, tenants: Sequence[Tenant]) -> Held:
    """tenants: as nvidia-smi names them, of all cards."""
    here = [tenant for tenant in tenants if tenant.card == card.uuid]
    servers, known = list(_servers(card, here)), set[int]()
    ours = [server for server, _ in servers]
    for _, pids in servers:
        known |= pids
    for tenant in here:
        trainer = "" if tenant.pid in known else _trainer(card, tenant.pid)
        if trainer:
            known.add(tenant.pid)
            ours.append(Ours(trainer, tenant.held, "Ctrl-C where it runs ends it", server=False))
    strangers = tuple(tenant for tenant in here if tenant.pid not in known and tenant.held >= WORTH_SAYING)
    unseen = card.total - card.free if card.free and not here else 0
    return Held(tuple(ours), strangers, unseen if unseen >= WORTH_SAYING else 0)


def _servers(card: Card, here: Sequence[Tenant]) -> Iterator[tuple[Ours, set[int]]]:
    """vLLMs that we have started on the card, with their processes: those that nvidia-smi names, or where it names nobody (in a
    container, on WSL) those that have the card's lock."""
    by_lock = not here and card_held(card.uuid)
    for record in (Path(holder["record"]) for holder in card_holders(card.uuid) if holder["record"]):
        facts = services.running(record)
        left, pids = ({}, []) if facts else services.leftover(record)
        members = set(process.members(facts) if facts else pids)
        mine = [tenant for tenant in here if tenant.pid in members]
        if mine or (by_lock and (facts or left)):
            yield _server(facts or left, sum(tenant.held for tenant in mine), crashed=not facts), members


def _server(facts: Mapping[str, Any], size: int, *, crashed: bool) -> Ours:
    said = f"{facts['name']} of {facts['recipe']} (pid {facts['pid']}, port {facts['port']})"
    own = (facts.get("owner") or {}).get("pid") == os.getpid()
    end = f"./lorewright stop {facts['name']} --port {facts['port']} ends it"
    return Ours(f"what a crash of {said} has left" if crashed else said, size, end, server=True, gone=crashed or own)


def _trainer(card: Card, pid: int) -> str:
    """Which training of ours a process belongs to; empty for none. The lock is of the lorewright above Axolotl's processes."""
    trainings = {int(holder["pid"]): str(holder["said"]) for holder in card_holders(card.uuid) if not holder["record"]}
    while pid > 1:
        if pid in trainings:
            return f"{trainings[pid]} (pid {pid})"
        pid = process.parent(pid)
    return ""
