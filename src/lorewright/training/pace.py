"""How fast a training goes, and how long it still takes, by the times of what it has logged.

The first logged step of an attempt is left out: it holds the compilation of kernels and the first reading of data. So are, where
there are others, the steps beside an evaluation or a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import floor
from statistics import median
from typing import Any

from lorewright.training.points import Point

WINDOW = 20  # the last so many logged steps tell the speed
TOKENS = "tokens/total"  # Axolotl's count of all tokens of all cards, padding included


@dataclass(frozen=True)
class Interval:
    """From one logged step to the next. seconds: without the evaluations between. tokens: None where they are not logged.

    clean: neither an evaluation nor a checkpoint lies between. evaluated: seconds of one that does.
    """

    steps: float
    seconds: float
    tokens: float | None
    clean: bool
    evaluated: float = 0.0


def intervals(points: Sequence[Point]) -> list[Interval]:
    """Those of every attempt by itself."""
    found: list[Interval] = []
    for _, attempt in groupby(points, lambda point: point.get("attempt", 0)):
        before: Point | None = None
        evaluated = 0.0
        for point in attempt:
            evaluated += point.get("eval_runtime", 0.0)
            if "loss" not in point or "at" not in point:
                continue
            if before and point["step"] > before["step"]:
                found.append(_between(before, point, evaluated))
            before, evaluated = point, 0.0
    return found


def _between(before: Point, point: Point, evaluated: float) -> Interval:
    counted = TOKENS in point and TOKENS in before
    return Interval(
        point["step"] - before["step"], max(0.0, point["at"] - before["at"] - evaluated),
        point[TOKENS] - before[TOKENS] if counted else None, not evaluated and not point.get("saved"), evaluated,
    )  # fmt: skip


def usable(found: Sequence[Interval]) -> list[Interval]:
    """The clean ones, or all where every one holds an evaluation or a checkpoint."""
    return [one for one in found if one.clean] or list(found)


def step_seconds(found: Sequence[Interval]) -> float | None:
    """The median of the last steps; None before the second one was logged."""
    times = [one.seconds / one.steps for one in usable(found)[-WINDOW:]]
    return median(times) if times else None


def tokens_per_second(found: Sequence[Interval]) -> float | None:
    """All tokens, padding included, of these intervals; None where Axolotl does not count them."""
    counted = [one for one in usable(found) if one.tokens is not None]
    seconds = sum(one.seconds for one in counted)
    return sum(one.tokens or 0.0 for one in counted) / seconds if seconds else None


def tokens_of_steps(points: Sequence[Point]) -> int | None:
    """All tokens of all steps, padding included; None where Axolotl does not count them.

    points: those that the training stands on. Axolotl counts from 0 again when it goes on by itself, and from the checkpoint's number when
    it is told which. Steps between a checkpoint and the last logged one before it were counted by nobody: they count as the others do.
    """
    total, counted, done = 0.0, 0.0, 0.0
    before = 0.0
    for _, part in groupby((point for point in points if TOKENS in point), lambda point: point.get("attempt", 0)):
        logged = list(part)
        again = not before or _counted_anew(logged[0], before / done)
        total += logged[-1][TOKENS] - (0.0 if again else before)
        counted += logged[-1]["step"] - (max(done, logged[0].get("begun", 0.0)) if again else done)
        before, done = logged[-1][TOKENS], logged[-1]["step"]
    return round(total * done / counted) if counted else None


def _counted_anew(point: Point, each: float) -> bool:
    """Whether an attempt's first count is nearer to that of its own steps than to that of all. each: tokens of a step until then."""
    own, whole = each * (point["step"] - point.get("begun", 0.0)), each * point["step"]
    return abs(point[TOKENS] - own) < abs(point[TOKENS] - whole)


def seconds_of_steps(points: Sequence[Point]) -> float | None:
    """Seconds of the steps alone, each counted once: those that were not timed, or not by themselves, count as much as the others.

    points: those that the training stands on. Another configuration has another pace, so each counts for itself.
    """
    total, done = 0.0, 0.0
    for _, part in groupby(points, lambda point: point.get("taken", 0)):
        logged = list(part)
        timed = usable(intervals(logged))
        steps = sum(one.steps for one in timed)
        last = max((point["step"] for point in logged if "loss" in point), default=done)
        if not steps:
            return None
        total += (last - done) * sum(one.seconds for one in timed) / steps
        done = last
    return total or None


def seconds_left(points: Sequence[Point], step: int, steps: int, axolotl: Mapping[str, Any]) -> float | None:
    """What the rest will take by the last steps, with the evaluations and checkpoints that are still to come; None before it is known."""
    found = intervals(points)
    each = step_seconds(found)
    if each is None or not steps:
        return None
    held = next((point["eval_runtime"] for point in reversed(points) if "eval_runtime" in point), 0.0)
    saved = next((one.seconds - one.steps * each for one in reversed(found) if not one.clean and not one.evaluated), 0.0)
    evaluations, checkpoints = (_to_come(how_often(axolotl, kind, steps), step / steps) for kind in ("eval", "save"))
    return (steps - step) * each + evaluations * held + checkpoints * max(0.0, saved)


def _to_come(often: float, done: float) -> int:
    """How many of so many are left when that share of the training is done; they lie evenly, the last at its end."""
    return floor(often + 1e-9) - floor(often * done + 1e-9)


def how_often(axolotl: Mapping[str, Any], kind: str, steps: int) -> float:
    """How often the whole training evaluates (`eval`) or writes a checkpoint (`save`)."""
    if axolotl.get(f"{kind}s_per_epoch"):
        return float(axolotl[f"{kind}s_per_epoch"]) * float(axolotl.get("num_epochs") or 1)
    every = float(axolotl.get(f"{kind}_steps") or 0)
    if every:
        return 1 / every if every < 1 else steps // every
    return float(axolotl.get("num_epochs") or 1) if axolotl.get(f"{kind}_strategy") == "epoch" else 0.0
