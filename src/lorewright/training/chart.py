"""Draws the loss curves of a training as pictures, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

Points = Sequence[tuple[float, float]]
LIGHT = {"paper": "#faf7f1", "ink": "#26221d", "faint": "#746b60", "rule": "#e4dccf", "training": "#8a4b38", "held": "#3f6272"}
DARK = {"paper": "#191816", "ink": "#e9e3d8", "faint": "#a39a8c", "rule": "#38342e", "training": "#d08c70", "held": "#8fb8c9"}
SMOOTHED = 40  # from so many logged steps on the line is the mean of a part of them, and the steps themselves are faint


def smooth(points: Points) -> list[tuple[float, float]]:
    """Each value as the mean of those around it, a twentieth of all; few are left as they are."""
    if len(points) < SMOOTHED:
        return list(points)
    half = max(1, len(points) // 40)
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    smoothed = []
    for at, (step, _) in enumerate(points):
        reach = min(half, at)  # even on both sides where the curve begins, for it is steep there; its end is flat
        first, last = at - reach, min(len(points) - 1, at + reach)
        smoothed.append((step, (sums[last + 1] - sums[first]) / (last + 1 - first)))
    return smoothed


def draw_loss(losses: Points, held_out: Points, title: str, file: Path, *, dark: bool = False) -> None:
    """Training and validation loss over steps, as a PNG. Values that are no numbers leave a gap."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    colours = DARK if dark else LIGHT
    losses, held_out = ([(step, value if isfinite(value) else nan) for step, value in part] for part in (losses, held_out))
    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained", facecolor=colours["paper"])
    axes = figure.add_subplot(facecolor=colours["paper"])
    smoothed = smooth(losses)
    if len(losses) >= SMOOTHED:
        axes.plot(*zip(*losses, strict=True), color=colours["training"], linewidth=0.8, alpha=0.3)
    if losses:
        label = "training, smoothed" if len(losses) >= SMOOTHED else "training"
        axes.plot(*zip(*smoothed, strict=True), color=colours["training"], linewidth=1.8, label=label, marker="o" * (len(losses) == 1))
    if held_out:
        axes.plot(*zip(*held_out, strict=True), color=colours["held"], marker="o", markersize=5, linewidth=1.8, label="held-out text")
    axes.set_title(title, color=colours["ink"], loc="left", fontsize=13)
    axes.set_xlabel("step", color=colours["faint"])
    axes.set_ylabel("loss (nats per token)", color=colours["faint"])
    _dress(axes, colours)
    if losses or held_out:
        axes.legend(frameon=False, labelcolor=colours["ink"])
    figure.savefig(file, facecolor=colours["paper"])


def _dress(axes: Any, colours: dict[str, str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colours["rule"])
    axes.tick_params(colors=colours["faint"], length=0)
    axes.grid(axis="y", color=colours["rule"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
