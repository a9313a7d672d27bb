"""The training loop: one phase of it, from a model to a better one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from making.batches import Batch
from making.measure import Losses


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    falling: the rate falls to a hundredth along a cosine; otherwise it stays. minutes: an upper bound, 0 for none.
    """

    name: str
    steps: int
    minutes: float
    falling: bool
    warmup: int = 60
    rate: float = 2e-3
    weight_decay: float = 0.1
    optimizer: str = "muon"
    every: int = 100

    def rate_at(self, step: int, progress: float) -> float:
        """progress: 0 to 1, by steps or by time, whichever is further."""
        warm = min(1.0, (step + 1) / max(1, self.warmup))
        fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))) if self.falling else 1.0
        return self.rate * warm * fall


def log(text: str) -> None:
    """A line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def optimizers(model: Any, phase: Phase) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices and AdamW for embeddings and norms; or AdamW alone.

    Muon's updates are scaled to the size of AdamW's, so that one rate fits both.
    """
    matrices, embeddings, norms = [], [], []
    for name, weight in model.named_parameters():
        (norms if weight.ndim < 2 else embeddings if "embed" in name else matrices).append(weight)
    adam = [{"params": embeddings, "weight_decay": phase.weight_decay}, {"params": norms, "weight_decay": 0.0}]
    if phase.optimizer == "adamw":
        adam.append({"params": matrices, "weight_decay": phase.weight_decay})
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(adam, lr=phase.rate, betas=(0.9, 0.95), eps=1e-8)]
    if phase.optimizer == "muon":
        found.append(
            torch.optim.Muon(matrices, lr=phase.rate, weight_decay=phase.weight_decay, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        )
    return found


def run(model: Any, losses: Losses, take: Callable[[], Batch], phase: Phase, report: Callable[[], str]) -> int:
    """Trains for the phase's steps or minutes; returns the steps done. report: measurements in words, printed now and then."""
    kinds = optimizers(model, phase)
    begun = printed = time.monotonic()
    seen, step = 0, 0
    for step in range(phase.steps):
        used = (time.monotonic() - begun) / 60 / phase.minutes if phase.minutes else 0.0
        progress = max(step / phase.steps, used)
        if used >= 1:
            log(f"{phase.name}: out of time after {step} steps")
            return step
        for kind in kinds:
            for group in kind.param_groups:
                group["lr"] = phase.rate_at(step, progress)
        batch = take()
        loss = update(model, losses, batch, kinds)
        seen += batch[0].numel()
        if (step + 1) % max(1, phase.every // 5) == 0 or step == 0:
            now = time.monotonic()
            log(
                f"{phase.name} step {step + 1}/{phase.steps} loss {float(loss):.3f} rate {phase.rate_at(step, progress):.5f} "
                f"window {batch[0].shape[1]} tokens/s {seen / (now - printed):,.0f}"
            )
            printed, seen = now, 0
        if (step + 1) % phase.every == 0 or step + 1 == phase.steps:
            log(f"{phase.name} step {step + 1}: {report()}")
            printed, seen = time.monotonic(), 0
    return step + 1


def update(model: Any, losses: Losses, batch: Batch, kinds: list[torch.optim.Optimizer]) -> torch.Tensor:
    """One step on one batch; returns the weighted mean loss of the learnt tokens, in nats, on the device."""
    ids, targets, weights = batch
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=ids.device.type == "cuda"):
        loss = (losses(ids, targets) * weights).sum() / weights.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for kind in kinds:
        kind.step()
        kind.zero_grad(set_to_none=True)
    return loss.detach()
