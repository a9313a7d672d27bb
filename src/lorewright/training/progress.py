"""Reads Axolotl's progress from its log, line by line."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

_METRICS = re.compile(r"\{'[^{}]*\}")
_TOTAL_STEPS = re.compile(r"Maximum number of steps set at (\d+)")
_STEP = re.compile(r"\b(\d+)/(\d+) \[")
_TRAINABLE = re.compile(r"trainable params: ([\d,]+) \|\| all params: ([\d,]+)")


@dataclass
class Progress:
    """What the log has said so far.

    points: one mapping a logged step or evaluation, with `epoch` and `loss` or `eval_loss`.
    facts: trainable and total parameters, and Axolotl's closing summary.
    """

    total: int = 0
    step: int = 0
    points: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    def read(self, line: str) -> dict[str, float] | None:
        """Takes one line; returns the point it held, if any."""
        if found := _TOTAL_STEPS.search(line):
            self.total = int(found[1])
        if found := _TRAINABLE.search(line):
            self.facts |= {"trainable_parameters": _number(found[1]), "parameters": _number(found[2])}
        for step, total in _STEP.findall(line):
            if int(total) == self.total:
                self.step = int(step)
        found = _METRICS.search(line)
        return self._metrics(found[0]) if found else None

    def _metrics(self, text: str) -> dict[str, float] | None:
        try:
            values = {str(key): float(value) for key, value in ast.literal_eval(text).items()}
        except (ValueError, SyntaxError, TypeError):
            return None  # a line that only looks like one
        if "train_runtime" in values:
            self.facts |= {key: value for key, value in values.items() if key.startswith("train_")}
            return None
        if "epoch" not in values or not ("loss" in values or "eval_loss" in values):
            return None
        self.points.append(values)
        return values

    def note(self) -> str:
        """A few words beside the bar."""
        loss = next((point["loss"] for point in reversed(self.points) if "loss" in point), None)
        held = next((point["eval_loss"] for point in reversed(self.points) if "eval_loss" in point), None)
        parts = [f"step {self.step}/{self.total}"] if self.total else ["starting"]
        parts += [f"loss {loss:.3f}"] if loss is not None else []
        parts += [f"validation {held:.3f}"] if held is not None else []
        return ", ".join(parts)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def curve(points: list[dict[str, float]], key: str) -> list[tuple[float, float]]:
    """(epoch, value) of every point that has the key; where a resumed run repeated an epoch, the later value."""
    return sorted({point["epoch"]: point[key] for point in points if key in point}.items())


def summary(progress: Progress) -> dict[str, Any]:
    """What the manifest keeps of a training."""
    losses, held = curve(progress.points, "loss"), curve(progress.points, "eval_loss")
    result: dict[str, Any] = {"steps": progress.total, "loss_curve": losses, "eval_loss_curve": held} | progress.facts
    if losses:
        result |= {"first_loss": losses[0][1], "final_loss": losses[-1][1]}
    if held:
        result |= {"first_eval_loss": held[0][1], "final_eval_loss": held[-1][1]}
    return result
