"""Sees from the logged losses that a training is lost, or that it learns nothing, and says what helps.

Thresholds are set so that a healthy curve never trips them, however it jumps: noise of up to 20 % a step over thousands of steps.
A median over WINDOW steps has then about 6 % of noise, and the highest of thousands lies about 1.5 times above the lowest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from statistics import fmean, median_high
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.training.resume import set_aside

WINDOW = 16
FACTOR = 1.75  # times the lowest median so far, and
MARGIN = 1.0  # so many nats per token above it: a small loss may double without harm
# One unusable step is skipped by the trainer, which then logs a loss of 0; with fp16 the first few are usual.
BLIND = 8
# Means of a quarter of so many steps have 3 % of noise at most: what has fallen by a tenth is seen to have fallen.
ENOUGH, FALLEN = 200, 0.02
# Of the loss on held-out text, which is a mean over all of it and so has little noise: so much above its best, twice running.
RISEN, TWICE = 0.01, 2
# Three evaluations this near to one another, over a tenth of the training at least.
SETTLED, THREE, STRETCH = 0.003, 3, 0.1

Point = Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """what: in words. good: the last step that was surely sound, 0 for none. stop: whether going on is of no use.

    kind: lost; flat (nothing is learnt), by heart (only the training text is), worse (than before), settled (nothing more is), unmeasured.
    """

    what: str
    good: int
    stop: bool
    kind: str = "lost"


class LostError(Exception):
    """The training is lost; raised out of the reading of its log, so that the trainer is ended."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


@dataclass
class Watch:
    """Takes a training's points one by one, with `step` and `loss`, where it is logged `grad_norm`, or `eval_loss`; others are passed over.

    explosions: whether they are looked for; not where the recipe has set Axolotl's own watch on the loss.
    """

    explosions: bool = True
    losses: list[Point] = field(default_factory=list)
    lowest: float = inf
    blind: int = 0
    halfway: bool = False
    held: list[Point] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def judge(self, point: Point, done: float = 0.0) -> Finding | None:
        """What is wrong since this point; None while nothing is. done: share of the training. A warning is given once."""
        if "eval_loss" in point:
            return self._once(self._held_out(point, done))
        if "loss" not in point:
            return None
        self.losses.append(point)
        return self._not_a_number() or self._exploded() or self._flat(done)

    def _not_a_number(self) -> Finding | None:
        last = self.losses[-1]
        hidden = last["loss"] == 0 and not isfinite(last.get("grad_norm", 0.0))
        self.blind = self.blind + 1 if hidden or not isfinite(last["loss"]) else 0
        if isfinite(last["loss"]) and self.blind < BLIND:
            return None
        what = f"the loss is not a number since step {self._step(self.blind)}"
        return Finding(what, self._sound(self.blind + 1), stop=True)

    def _exploded(self) -> Finding | None:
        if not self.explosions or len(self.losses) < WINDOW:
            return None
        now = median_high(point["loss"] for point in self.losses[-WINDOW:])
        if now <= max(self.lowest * FACTOR, self.lowest + MARGIN):
            self.lowest = min(self.lowest, now)
            return None
        return Finding(f"the loss exploded from {self.lowest:.2f} to {now:.2f}", self._sound(WINDOW + 1), stop=True)

    def _flat(self, done: float) -> Finding | None:
        """Looked at once: halfway, the last quarter of the steps beside the first. A warning: a style that is there already is no fault."""
        count = len(self.losses)
        if self.halfway or done < 0.5:
            return None
        self.halfway = True
        first, now = (fmean(point["loss"] for point in part) for part in (self.losses[: count // 4 or 1], self.losses[-count // 4 :]))
        if count < ENOUGH or now < first * (1 - FALLEN):
            return None
        return Finding(f"the loss has not fallen in half of the training ({first:.2f}, now {now:.2f})", 0, stop=False, kind="flat")

    def _held_out(self, point: Point, done: float) -> Finding | None:
        """What the loss on held-out text tells; every one of these is a warning, for the training may be wanted as it is."""
        if not isfinite(point["eval_loss"]):
            return Finding(f"the loss on the held-out text is not a number at step {point['step']:g}", 0, stop=False, kind="unmeasured")
        if self.held and self.held[-1]["step"] == point["step"]:
            self.held.pop()  # a training that goes on evaluates first where it had stopped
        self.held.append(point)
        best = min(self.held, key=lambda one: one["eval_loss"])
        since = [one for one in self.held if one["step"] > best["step"]]
        if len(since) >= TWICE and all(one["eval_loss"] > best["eval_loss"] * (1 + RISEN) for one in since[-TWICE:]):
            return _risen(best, point)
        return self._settled(done)

    def _settled(self, done: float) -> Finding | None:
        """Three evaluations or more, over a tenth of the training or more, that are all alike."""
        now = self.held[-1]
        reach = now["step"] * (1 - STRETCH / done) if done > STRETCH else -1.0
        before = [number for number, point in enumerate(self.held) if point["step"] <= reach]
        if not before or done > 0.75:
            return None
        last = self.held[min(before[-1], len(self.held) - THREE) :] if len(self.held) >= THREE else []
        values = [point["eval_loss"] for point in last]
        if not values or max(values) > min(values) * (1 + SETTLED):
            return None
        what = f"the loss on the held-out text has stayed at {now['eval_loss']:.3f} since step {last[0]['step']:g}"
        return Finding(what, int(last[0]["step"]), stop=False, kind="settled")

    def _once(self, finding: Finding | None) -> Finding | None:
        """A warning is told once; that it has settled is not told of what has begun to rise."""
        if finding is None or finding.kind in self.told:
            return None
        self.told |= {finding.kind} | ({"settled"} if finding.kind == "by heart" else set())
        return finding

    def _sound(self, back: int) -> int:
        """The step before that point's: its loss was taken before its own update, which may have been the ruin."""
        return max(0, self._step(back) - 1)

    def _step(self, back: int) -> int:
        """The step of the point that stands so far from the end, 0 before the first."""
        return int(self.losses[-back].get("step", 0)) if back <= len(self.losses) else 0


def _risen(best: Point, now: Point) -> Finding:
    """The loss on held-out text is higher than it was, twice running."""
    step, losses = int(best["step"]), f"({best['eval_loss']:.3f}, now {now['eval_loss']:.3f})"
    if not step:
        what = f"the loss on the held-out text is higher than before the training {losses}"
        return Finding(what, 0, stop=False, kind="worse")
    what = f"the loss on the held-out text has risen since step {step} {losses}: it begins to learn by heart"
    return Finding(what, step, stop=False, kind="by heart")


def remedy(finding: Finding, axolotl: Mapping[str, Any]) -> str:
    """What to change, by what the recipe has. axolotl: the configuration that was run."""
    rate, epochs = axolotl.get("learning_rate"), axolotl.get("num_epochs") or 1
    if finding.kind != "lost":
        return WARNED[finding.kind].format(rate=rate, epochs=epochs, step=finding.good)
    advice = ["set axolotl.bf16 to auto instead of fp16"] if axolotl.get("fp16") is True else []
    advice += [f"lower axolotl.learning_rate to a third (it is {rate})"]
    if not axolotl.get("warmup_steps") and not axolotl.get("warmup_ratio"):
        advice += ["set axolotl.warmup_ratio to 0.05"]
    if not axolotl.get("max_grad_norm"):
        advice += ["set axolotl.max_grad_norm to 0.3"]
    return ", ".join(advice)


WARNED = {
    "flat": "raise axolotl.learning_rate (it is {rate}), or look into the ledger's report whether the right text is trained",
    "worse": "lower axolotl.learning_rate (it is {rate}), or look whether what is held out is of the same kind as what is trained",
    "by heart": "a checkpoint of about step {step} is the better one; next time fewer axolotl.num_epochs (it is {epochs}), a lower "
    "axolotl.learning_rate (it is {rate}), more text, or axolotl.early_stopping_patience with eval_steps and save_steps",
    "settled": "more of the same will give little: fewer axolotl.num_epochs (it is {epochs}) would do; if the voice is not there yet, "
    "raise axolotl.lora_r or axolotl.learning_rate (it is {rate})",
    "unmeasured": "look into the ledger's report whether a held-out example has text that is trained; with fp16, set axolotl.bf16 to auto",
}


def stopped(finding: Finding, adapter: Path, axolotl: Mapping[str, Any]) -> LorewrightError:
    """What the user is told; checkpoints of after the last sound step are set aside, so that nothing goes on from them.

    The curve of the training was drawn beside the adapter.
    """
    kept = set_aside(adapter, finding.good)
    left = f"{adapter / f'checkpoint-{kept}'} is from before" if kept else "no checkpoint is from before"
    said = f"the training was stopped: {finding.what}; {left}; its curve is {adapter.parent / 'loss.png'}"
    return LorewrightError(said, remedy=remedy(finding, axolotl))
