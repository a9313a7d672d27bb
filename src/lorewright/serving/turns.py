"""Training and serving take turns on a card: who has it is a lock beside the environments, and the recipe says what the second does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from lorewright import services
from lorewright.errors import LorewrightError
from lorewright.locks import card_holders, hold_card
from lorewright.progress import Console
from lorewright.recipe import Recipe
from lorewright.serving.gpu import stop_and_release


class RunLike(Protocol):
    """What is needed of a run."""

    @property
    def recipe(self) -> Recipe: ...

    @property
    def console(self) -> Console: ...


@dataclass(frozen=True)
class Asker:
    """Who wants cards. said: in words, as others are told. record: of the service; None for a training."""

    said: str
    record: Path | None = None

    @property
    def about(self) -> dict[str, Any]:
        return {"said": self.said, "record": str(self.record) if self.record else ""}


@contextlib.contextmanager
def cards(wanted: tuple[str, ...], asker: Asker, run: RunLike) -> Iterator[list[int]]:
    """Holds the cards for the block, and longer for a process that inherits the handles it gives.

    wanted: the cards, none on a machine without. Raises LorewrightError where the recipe says `refuse`.
    """
    held: list[IO[str]] = []
    try:
        held.extend(_taken(card, asker, run) for card in sorted(wanted))  # in one order, so that two never wait for each other
        yield [lock.fileno() for lock in held]
    finally:
        for lock in held:
            lock.close()


def _taken(card: str, asker: Asker, run: RunLike) -> IO[str]:
    begun = time.monotonic()
    with run.console.bar("card") as bar:
        while True:
            _end_leftovers(card, run)
            got = hold_card(card, asker.about, alone=asker.record is None)
            if got:
                return got
            bar(time.monotonic() - begun, None, f"waiting for {_one_turn(card, asker, run)}")
            time.sleep(0.2)


def _end_leftovers(card: str, run: RunLike) -> None:
    """A crashed server's engine holds the card's memory without its lock, and nobody can use it."""
    for holder in card_holders(card):
        if holder["record"] and services.leftover(Path(holder["record"]))[1]:
            stop_and_release(Path(holder["record"]))
            run.console.stage("card", f"what a crash of {holder['said']} left behind was ended")


def _one_turn(card: str, asker: Asker, run: RunLike) -> str:
    """Makes the card free where the rule says so. Says for whom the caller waits; raises where the rule is `refuse`."""
    rule = run.recipe.serve.when_training
    holders = card_holders(card)
    servers = [(holder["said"], Path(holder["record"]), facts) for holder in holders if (facts := _facts(holder))]
    if asker.record is not None or not servers:  # a training has it
        said = next((f"{holder['said']} (pid {holder['pid']})" for holder in holders if not holder["record"]), "a training")
    else:
        said = ", ".join(f"{said} (pid {facts['pid']}, port {facts['port']})" for said, _, facts in servers)
        for name, record, facts in servers:
            mine = (facts.get("owner") or {}).get("pid") == os.getpid()
            if rule == "stop" or mine:
                _stop(name, record, facts, run, mine)
                return said
    if rule == "refuse":
        remedy = "wait for it or end it, or set serve.when_training to wait or stop"
        raise LorewrightError(f"the card is held by {said}", remedy=remedy)
    return said


def _facts(holder: dict[str, Any]) -> dict[str, Any] | None:
    return services.running(Path(holder["record"])) if holder["record"] else None


def _stop(name: str, record: Path, facts: dict[str, Any], run: RunLike, mine: bool) -> None:
    stop_and_release(record)
    again = "" if mine else f"; ./lorewright serve starts it again (recipe {facts['recipe']}, port {facts['port']})"
    run.console.stage("card", f"{name} on port {facts['port']} was stopped for the training{again}")
