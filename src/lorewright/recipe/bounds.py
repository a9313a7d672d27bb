"""How far a model may be from the one that was trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Within:
    """kl: the highest mean divergence, in nats. top1: the lowest share of positions with the same likeliest token."""

    kl: float
    top1: float


@dataclass(frozen=True)
class Parity:
    """check: False for not at all."""

    check: bool
    merged: Within
    served: Within
