"""The Markdown of what gpu_training.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def row(found: Mapping[str, Any]) -> str:
    """One line of the table; a figure that is missed says so."""
    rate, card = found["tokens_per_second"], found["peak_card_gib"]
    peak, held_out = found["peak_reserved_gib"], found["peak_evaluating_gib"]
    cells = [
        found["case"],
        f"{found['peak_allocated_gib']:.2f}",
        f"{peak:.2f}{_goal('≤', found['most_gib'], max(peak, held_out) <= (found['most_gib'] or max(peak, held_out)))}",
        f"{held_out:.2f}",
        "" if card is None else f"{card:.2f}",
        f"{rate:,.0f}{_goal('≥', found['least_rate'], rate >= (found['least_rate'] or 0))}",
        f"{found['model_tflops']:g}"
        + (f" ({found['model_tflops'] / found['product_tflops']:.0%} of {found['product_tflops']:.0f})" if found["product_tflops"] else ""),
        str(found["watts"] or ""),
    ]
    return f"| {' | '.join(cells)} |"


def _goal(sign: str, goal: float | None, reached: bool) -> str:
    return f" ({sign} {goal:,g}{'' if reached else ': MISSED'})" if goal else ""


COLUMNS = (
    "case",
    "allocated GiB",
    "reserved GiB",
    "reserved in an evaluation",
    "on the card GiB",
    "tokens/s",
    "model TFLOP/s (of a product's)",
    "W",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def table(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a table for each card and day."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for found in kept.values():
        groups.setdefault((found["machine"], found["date"], found["versions"]), []).append(row(found))
    return "\n\n".join("\n".join([f"{'; '.join(group)}", "", HEAD, *rows]) for group, rows in groups.items())
