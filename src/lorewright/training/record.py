"""training.json: the figures of a training that has ended, kept beside its adapter. What is not known is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from lorewright.training.pace import intervals, seconds_of_steps, tokens_of_steps, tokens_per_second
from lorewright.training.points import (
    Point,
    attempts,
    curve,
    drawn,
    evaluation_seconds,
    of_last_configuration,
    standing,
    whole_seconds,
)
from lorewright.training.progress import RESERVED, Progress, peak

NAME = "training.json"


@dataclass(frozen=True)
class Machine:
    """device: the card's or the processor's name. gpus: how many cards trained, 0 on a processor."""

    device: str
    gpus: int


def figures(progress: Progress, logged: Sequence[Point], machine: Machine, adapter_step: int | None = None) -> dict[str, Any]:
    """All of training.json. logged: the points of all attempts. adapter_step: which step the adapter is of, where it is not the last.

    The losses are those of progress, which also knows points that were lost. Steps, tokens and seconds count each step once;
    whole_seconds and energy_joules count what was done twice twice. Speed and memory are those of the last configuration.
    """
    points = standing(logged)
    last = of_last_configuration(points)
    speed, seconds = tokens_per_second(intervals(last)), seconds_of_steps(points)
    losses, held = (_finite(curve(progress.points, key, "step")) for key in ("loss", "eval_loss"))
    best = min(held, key=lambda pair: (pair[1], pair[0] != adapter_step)) if held else None  # four digits are logged: some are alike
    by_axolotl, by_driver = peak(last), round(max((point.get("card_bytes", 0.0) for point in last), default=0.0))
    steps = progress.step or progress.total
    return {
        "steps": steps, "adapter_step": adapter_step or steps, "tokens": tokens_of_steps(points), "seconds": _rounded(seconds),
        "tokens_per_second": _rounded(speed), "peak_vram_bytes": by_axolotl or by_driver or None,
        "peak_vram_by": "axolotl" if by_axolotl else "nvidia-smi" if by_driver else None,
        "reserved_vram_bytes": peak(last, RESERVED) or None,
        "trainable_parameters": _whole(progress.facts.get("trainable_parameters")),
        "total_parameters": _whole(progress.facts.get("parameters")), "energy_joules": _rounded(drawn(logged)),
        "device": machine.device, "gpus": machine.gpus, "final_loss": losses[-1][1] if losses else None,
        "eval_loss": held[-1][1] if held else None, "first_eval_loss": held[0][1] if held else None,
        "best_eval_loss": best[1] if best else None, "best_eval_step": int(best[0]) if best else None, "attempts": attempts(logged),
        "whole_seconds": _rounded(whole_seconds(logged)), "evaluation_seconds": _rounded(evaluation_seconds(points)),
    }  # fmt: skip


def _finite(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(step, value) for step, value in pairs if isfinite(value)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
