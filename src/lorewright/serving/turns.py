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
from lorewright.locks import last_holder, try_card
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
    rule = run.recipe.serve.when_training
    _end_leftover(card, run)
    got = try_card(card, asker.about)
    if isinstance(got, dict):
        with run.console.bar("card") as bar:
            begun = time.monotonic()
            while isinstance(got, dict):
                _end_leftover(card, run)
                _one_turn(got, rule, asker, run)
                bar(time.monotonic() - begun, None, f"waiting for {got['said']} (pid {got.get('pid', '?')})")
                time.sleep(0.2)
                got = try_card(card, asker.about)
    return got


def _end_leftover(card: str, run: RunLike) -> None:
    """A crashed server's engine holds the card's memory without its lock, and nobody can use it."""
    holder = last_holder(card)
    record = Path(holder["record"]) if holder.get("record") else None
    if record and services.leftover(record)[1]:
        stop_and_release(record)
        run.console.stage("card", f"what a crash of {holder['said']} left behind was ended")


def _one_turn(holder: dict[str, Any], rule: str, asker: Asker, run: RunLike) -> None:
    """Makes the card free where the rule says so, else leaves the waiting to the caller. Raises where the rule is `refuse`."""
    record = Path(holder["record"]) if holder.get("record") else None
    facts = services.running(record) if record else None
    mine = bool(facts and (facts.get("owner") or {}).get("pid") == os.getpid())
    if facts and record and asker.record is None and (rule == "stop" or mine):
        stop_and_release(record)
        again = "" if mine else f"; ./lorewright serve starts it again (recipe {facts['recipe']}, port {facts['port']})"
        run.console.stage("card", f"{holder['said']} on port {facts['port']} was stopped for the training{again}")
    elif asker.record is not None and facts:
        remedy = "stop it with ./lorewright stop serve, or give this one another card with CUDA_VISIBLE_DEVICES"
        raise LorewrightError(f"the card is held by {holder['said']} on port {facts['port']}", remedy=remedy)
    elif rule == "refuse":
        remedy = "wait for it or end it, or set serve.when_training to wait or stop"
        raise LorewrightError(f"the card is held by {holder['said']} (pid {holder.get('pid', '?')})", remedy=remedy)
