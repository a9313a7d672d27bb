"""A training as it runs: each line of Axolotl's log becomes a point of the record, a judgement, and the line that a person sees."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from lorewright.progress import Bar
from lorewright.training.divergence import Finding, Watch
from lorewright.training.meter import Meter
from lorewright.training.progress import Progress


@dataclass
class Live:
    """One attempt.

    axolotl: the configuration that runs. sink: takes the points. attempt: what every point of it says of itself (see points.py).
    tell: is given what the watch has found; it raises to end the trainer. done: is told after each line how many steps are done.
    """

    progress: Progress
    axolotl: Mapping[str, Any]
    attempt: Mapping[str, float]
    sink: TextIO
    watch: Watch
    meter: Meter
    bar: Bar
    tell: Callable[[Finding], None]
    done: Callable[[int], None]
    started: float = field(default_factory=time.monotonic)

    def line(self, line: str) -> None:
        """Takes one line of the log."""
        point = self.progress.read(line)
        if self.progress.stepping:
            self.meter.begin()
        if point:
            self._keep(point)
            done = self.progress.step / self.progress.total if self.progress.total else 0.0
            finding = self.watch.judge(point, done)
            if finding:
                self.tell(finding)
        self.done(self.progress.step)
        self.bar(self.progress.step, self.progress.total or None, self.progress.note(self.axolotl, self.meter.most))

    def _keep(self, point: dict[str, float]) -> None:
        """The point with when it was, on disk at once."""
        point |= {"at": round(time.monotonic() - self.started, 2), **self.attempt}
        joules = self.meter.joules
        if joules is not None:
            point["joules"] = round(joules, 1)
        if self.meter.most:
            point["card_bytes"] = self.meter.most
        self.sink.write(json.dumps(point) + "\n")
        self.sink.flush()
