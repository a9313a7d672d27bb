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
    """check: False for not at all. exported: None for the bound of each type."""

    check: bool
    merged: Within
    served: Within
    exported: Within | None = None


# Of a GGUF file by its type: about three times what the starter loses, which is small and suffers most (docs/export.md has its figures).
EXPORTED = {
    Within(0.003, 0.98): ("F32", "F16", "BF16"),
    Within(0.003, 0.95): ("Q8_0",),
    Within(0.01, 0.88): ("Q6_K",),
    Within(0.02, 0.83): ("Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0"),
    Within(0.08, 0.7): ("Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4_MOE"),
    Within(0.3, 0.5): ("Q3_K_L", "Q3_K_M", "Q3_K_S", "IQ3_M", "IQ3_S"),
    Within(0.6, 0.35): ("Q2_K",),
}
COARSEST = Within(5.0, 0.0)  # types of two bits and less, for models that were made for them


def bound_of(kind: str) -> Within:
    """What a file of one of llama.cpp's types may be off by."""
    return next((bound for bound, kinds in EXPORTED.items() if kind in kinds), COARSEST)
