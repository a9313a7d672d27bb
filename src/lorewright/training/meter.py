"""What the cards draw and hold while a training runs: asked of the driver now and then, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

SECONDS = 2.0
MISSED = 0.1  # with a larger share of the time unanswered the sum is no figure
# (watts, or None where the driver does not say; bytes in use) of each card.
Sample = Sequence[tuple[float | None, int]]


class Meter:
    """Adds up from `begin` on. most: the highest memory in use on one card, bytes."""

    def __init__(self, ask: Callable[[], Sample], every: float = SECONDS) -> None:
        self.most = 0
        self._sum, self._told, self._missed = 0.0, 0.0, 0.0  # joules; seconds with an answer and without
        self._ask, self._every = ask, every
        self._begun, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def joules(self) -> float | None:
        """What the cards drew; None while too much of the time is not known. The little that was missed counts as the rest."""
        whole = self._told + self._missed
        return self._sum * whole / self._told if self._told and self._missed <= MISSED * whole else None

    def begin(self) -> None:
        """The steps begin: what was drawn before, for loading, is not the training's."""
        self._begun.set()

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._begun.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        self._begun.wait()
        before = time.monotonic()
        while not self._ended.wait(self._every):
            cards = self._ask()
            now = time.monotonic()
            watts = [drawn for drawn, _ in cards if drawn is not None]
            if cards and len(watts) == len(cards):  # a part of the cards would be no figure
                self._sum += sum(watts) * (now - before)
                self._told += now - before
            else:
                self._missed += now - before
            self.most = max(self.most, *(used for _, used in cards), 0)
            before = now
