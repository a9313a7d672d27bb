"""points.jsonl: what a training has logged, a line a step or evaluation, over all its attempts.

Beside what Axolotl logs a point has `step`, `at` (seconds since its attempt began), `attempt` (counted from 1), `begun` (the step that
the attempt went on from), `taken` (how many steps for want of memory its configuration has), `saved` where a checkpoint was written
since the point before, and where the driver tells them `joules`, what the cards had drawn in the attempt by then, and `card_bytes`, the
most that was in use on one of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lorewright.manifest import write_whole
from lorewright.training.meter import MISSED

Point = dict[str, float]


def read(file: Path) -> list[Point]:
    """All points, in the order they were logged; a line that was cut off is passed over."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    return [point for point in map(_point, lines) if "step" in point]


def mended(file: Path) -> list[Point]:
    """The points of a file, which then holds nothing else: what is written to it next starts a line of its own."""
    found = read(file)
    if file.exists():
        write_whole(file, "".join(json.dumps(point) + "\n" for point in found))
    return found


def _point(line: str) -> Point:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def standing(points: Sequence[Point], begun: int | None = None) -> list[Point]:
    """The points that the training stands on: what a later attempt did again is left out.

    begun: the step that an attempt goes on from which has logged nothing yet.
    """
    kept: list[Point] = []
    attempt = 0.0
    for point in points:
        if point.get("attempt", 0) != attempt:
            attempt = point.get("attempt", 0)
            kept = [one for one in kept if one["step"] <= point.get("begun", 0)]
        kept.append(point)
    return kept if begun is None else [one for one in kept if one["step"] <= begun]


def attempts(points: Sequence[Point]) -> int:
    """How many attempts have logged something."""
    return int(max((point.get("attempt", 1) for point in points), default=0))


def curve(points: Sequence[Point], key: str, over: str = "epoch") -> list[tuple[float, float]]:
    """(epoch or step, value) of every point that has the key; where one is repeated, the later value."""
    return sorted({point[over]: point[key] for point in points if key in point and over in point}.items())


def drawn(points: Sequence[Point]) -> float | None:
    """Joules of all attempts together, repeated steps included, for they were drawn too.

    None where the driver told none, or nothing at the end of attempts that make up more than a tenth of the time.
    """
    last = list({point.get("attempt", 0): point for point in points if "at" in point or "joules" in point}.values())
    known = [point["joules"] for point in last if "joules" in point]
    unknown = sum(point["at"] for point in last if "joules" not in point)
    return sum(known) if known and unknown <= MISSED * whole_seconds(points) else None


def whole_seconds(points: Sequence[Point]) -> float:
    """From the beginning of each attempt to the last that it logged, all attempts together."""
    return sum({point.get("attempt", 0): point["at"] for point in points if "at" in point}.values())


def evaluation_seconds(points: Sequence[Point]) -> float:
    return sum(point.get("eval_runtime", 0.0) for point in points)


def of_last_configuration(points: Sequence[Point]) -> list[Point]:
    """Those since the last step for want of memory: an earlier configuration has other needs and another pace."""
    last = max((point.get("taken", 0) for point in points), default=0)
    return [point for point in points if point.get("taken", 0) == last]
