"""Reads Axolotl's progress from its log, line by line, and says in one line how it goes."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lorewright.progress import said_seconds
from lorewright.training.pace import WINDOW, intervals, seconds_left, tokens_per_second, usable
from lorewright.training.points import Point, curve, of_last_configuration

_METRICS = re.compile(r"\{'[^{}]*\}")
_TOTAL_STEPS = re.compile(r"Maximum number of steps set at (\d+)")
_STEP = re.compile(r"\b(\d+)/(\d+) \[")
_TRAINABLE = re.compile(r"trainable params: ([\d,]+) \|\| all params: ([\d,]+)")
_DOING = {
    "Starting trainer": "first step",
    "Running evaluation step": "evaluating",
    "Saving model checkpoint": "saving",
}
ALLOCATED, RESERVED = "memory/max_allocated (GiB)", "memory/device_reserved (GiB)"
GIB = 2**30
TAIL = 10 * WINDOW  # so many points are looked at for each line of the log


@dataclass
class Progress:
    """What the log has said so far.

    step: the last one that is done; at first the one that the training goes on from.
    points: one mapping a logged step or evaluation, with `step`, `epoch` and `loss` or `eval_loss`; those of earlier attempts first.
    facts: trainable and total parameters, and Axolotl's closing summary. doing: what it does beside its steps, and how far it is.
    saved: whether a checkpoint was written since the last logged step. peak: the most of a card's memory that this attempt needed, bytes.
    """

    total: int = 0
    step: int = 0
    points: list[Point] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    doing: str = "starting"
    saved: bool = False
    stepping: bool = False
    peak: int = 0

    def read(self, line: str) -> Point | None:
        """Takes one line; returns the point it held, if any."""
        if found := _TOTAL_STEPS.search(line):
            self.total = int(found[1])
        if found := _TRAINABLE.search(line):
            self.facts |= {"trainable_parameters": _number(found[1]), "parameters": _number(found[2])}
        for sign, doing in _DOING.items():
            if sign in line:
                self.doing, self.saved = doing, self.saved or doing == "saving"
        for step, total in _STEP.findall(line):
            self._bar(int(step), int(total))
        metrics = _METRICS.search(line)
        return self._metrics(metrics[0]) if metrics else None

    def _bar(self, step: int, total: int) -> None:
        """One of the tool's own bars: that of the steps, or an evaluation's."""
        if self.doing.startswith("evaluating"):
            self.doing = f"evaluating {step}/{total}"
        elif total == self.total:
            self.doing = "" if step > self.step else self.doing
            self.step, self.stepping = max(self.step, step), True  # the bar of a training that goes on begins at 0

    def _metrics(self, text: str) -> Point | None:
        try:
            values = {str(key): float(value) for key, value in ast.literal_eval(text).items()}
        except (ValueError, SyntaxError, TypeError):
            return None  # a line that only looks like one
        if "train_runtime" in values:
            self.facts |= {key: value for key, value in values.items() if key.startswith("train_")}
            return None
        if "epoch" not in values or not ("loss" in values or "eval_loss" in values):
            return None
        self.doing, self.peak = "", max(self.peak, peak([values]))
        values["step"] = self._step_of(values)
        if "loss" in values and self.saved:
            values["saved"], self.saved = 1.0, False
        self.points.append(values)
        return values

    def _step_of(self, values: Mapping[str, float]) -> float:
        """The bar is drawn ten times a second at most: where steps are faster it is one behind."""
        last = max((point["step"] for point in self.points if "loss" in point and point["epoch"] < values["epoch"]), default=0.0)
        return max(self.step, last + 1.0) if "loss" in values else float(self.step)

    def latest(self, key: str) -> float | None:
        return next((point[key] for point in reversed(self.points) if key in point), None)

    def note(self, axolotl: Mapping[str, Any] | None = None, used: int = 0) -> str:
        """The line beside the bar. axolotl: what is run. used: bytes of a card's memory, where Axolotl logs none."""
        loss, held = self.latest("loss"), self.latest("eval_loss")
        recent = of_last_configuration(self.points[-TAIL:])
        speed = tokens_per_second(usable(intervals(recent))[-WINDOW:])
        left = seconds_left(recent, self.step, self.total, axolotl or {})
        most = self.peak or used
        parts = [f"step {self.step}/{self.total}"] if self.total and self.stepping else []
        parts += [self.doing] if self.doing else []
        parts += [f"{said_seconds(left)} left"] if left is not None and self.step < self.total else []
        parts += [f"loss {loss:.3f}"] if loss is not None else []
        parts += [f"eval {held:.3f}"] if held is not None else []
        parts += [f"{speed:,.0f} tokens/s"] if speed else []
        parts += [f"peak {most / GIB:.1f} GiB"] if most else []
        return " · ".join(parts)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def peak(points: Sequence[Point], key: str = ALLOCATED) -> int:
    """The most of a card's memory that was needed, in bytes. Axolotl logs the highest since its last line; 0 where it logs none."""
    return round(max((point.get(key, 0.0) for point in points), default=0.0) * GIB)


def summary(progress: Progress) -> dict[str, Any]:
    """What the manifest keeps of a training."""
    losses, held = curve(progress.points, "loss"), curve(progress.points, "eval_loss")
    result: dict[str, Any] = {"steps": progress.total, "loss_curve": losses, "eval_loss_curve": held} | progress.facts
    if losses:
        result |= {"first_loss": losses[0][1], "final_loss": losses[-1][1]}
    if held:
        result |= {"first_eval_loss": held[0][1], "final_eval_loss": held[-1][1]}
    return result
