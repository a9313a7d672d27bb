"""The curves of a training as inline SVG, in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10

from markupsafe import Markup

from lorewright.data.pages.svg import WIDTH, drawing, text

Points = Sequence[tuple[float, float]]
LEFT, RIGHT, TOP, BASE = 46.0, 8.0, 34.0, 282.0
MOST = 600  # points of a line: more cannot be seen


def curves(raw: Points, smoothed: Points, held: Points, label: str, best: float | None = None) -> Markup:
    """The training loss as logged (faint) and smoothed, the loss on the held-out text with a point for each evaluation.

    All are (step, loss). best: the step of the lowest held-out loss, which is marked.
    """
    raw, smoothed, held = (_numbers(part) for part in (raw, smoothed, held))
    every = [*smoothed, *held]
    if not every:
        return Markup("")
    steps, values = [step for step, _ in every], [value for _, value in every]
    marks = ticks(min(values), max(values))
    frame = _Frame(0.0, max(steps) or 1.0, marks[0], marks[-1])
    parts = [frame.row(value) for value in marks] + [frame.column(step) for step in ticks(0, max(steps) or 1.0, 7) if step <= max(steps)]
    parts += [text(WIDTH - RIGHT, BASE + 46, "step", "tick", "end"), text(0, 13, "loss, nats per token", "tick", "start")]
    parts += [frame.line(raw, "curve raw")] if raw != smoothed else []
    parts += [frame.line(smoothed, "curve"), frame.line(held, "curve held")]
    parts += [frame.dot(step, value, step == best) for step, value in held]
    return drawing(BASE + 54, label, *parts)


class _Frame:
    """Where a value lies in the picture."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self.left, self.low = left, low
        self.across, self.up = (WIDTH - LEFT - RIGHT) / ((right - left) or 1.0), (BASE - TOP) / ((high - low) or 1.0)

    def x(self, step: float) -> float:
        return LEFT + (step - self.left) * self.across

    def y(self, value: float) -> float:
        return min(BASE, max(0.0, BASE - (value - self.low) * self.up))

    def row(self, value: float) -> str:
        y = self.y(value)
        return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="axis"/>' + text(
            LEFT - 9, y + 4.5, f"{value:g}", anchor="end"
        )

    def column(self, step: float) -> str:
        return text(self.x(step), BASE + 22, f"{step:,.0f}")

    def line(self, points: Points, kind: str) -> str:
        if len(points) < 2:
            return ""
        every = ceil(len(points) / MOST)
        kept = [*points[::every], points[-1]] if every > 1 else points
        return f'<polyline points="{" ".join(f"{self.x(step):.1f},{self.y(value):.1f}" for step, value in kept)}" class="{kind}"/>'

    def dot(self, step: float, value: float, best: bool) -> str:
        kind, radius = ("dot best", 6.5) if best else ("dot", 4)
        said = f"step {step:g}: {value:.3f}"
        return f'<circle cx="{self.x(step):.1f}" cy="{self.y(value):.1f}" r="{radius}" class="{kind}"><title>{said}</title></circle>'


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about so many."""
    span = high - low if high - low > 1e-6 else max(abs(high), 1.0)
    power = 10.0 ** floor(log10(span / about))
    width = next(power * nice for nice in (1, 2, 2.5, 5, 10) if span / (power * nice) <= about)
    first, last = floor(low / width + 1e-9), ceil(high / width - 1e-9)
    return [round(number * width, 10) for number in range(first, max(last, first + 1) + 1)]


def _numbers(points: Points) -> list[tuple[float, float]]:
    return [(step, value) for step, value in points if isfinite(value)]
