"""How long things took: exact percentiles of the last thousand requests, and histograms since the start."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

KEPT = 1000
PERCENTS = (50, 95, 99)
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds


@dataclass
class Latency:
    """counts: by the first of BOUNDS that a time does not exceed; one more for longer ones."""

    last: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.last.append(seconds)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def shown(self) -> dict[str, float | int | None]:
        """Milliseconds; None while there is nothing."""
        ordered = sorted(self.last)
        found = {f"p{percent}": percentile(ordered, percent) for percent in PERCENTS}
        return {"count": len(ordered)} | {name: None if value is None else round(value * 1000, 1) for name, value in found.items()}


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent of the values do not exceed (nearest rank). ordered: ascending."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] if ordered else None
