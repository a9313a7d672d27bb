"""Draws the loss curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Points = Sequence[tuple[float, float]]


def draw_loss(losses: Points, held_out: Points, title: str, file: Path) -> None:
    """Training and validation loss over epochs, as a PNG."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(*zip(*losses, strict=True), color="#3b5b92", linewidth=1.6, label="training") if losses else None
    axes.plot(*zip(*held_out, strict=True), color="#c2573a", marker="o", linewidth=1.6, label="validation") if held_out else None
    axes.set(title=title, xlabel="epoch", ylabel="loss (nats per token)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    if losses or held_out:
        axes.legend(frameon=False)
    figure.savefig(file)
