"""What a benchmark gives back, and how it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lorewright.rag.latency import percentile


@dataclass(frozen=True)
class Report:
    """facts: everything, as JSON takes it. text: for a terminal. markdown: to keep."""

    facts: dict[str, Any]
    text: str
    markdown: str


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines: the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        aligned = [cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(aligned).rstrip())
    return lines


def pipes(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as a Markdown table, the first being its head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def milliseconds(times: Sequence[float]) -> dict[str, float | None]:
    """p50 and p95 of times in milliseconds; None of none."""
    found = {f"p{percent}": percentile(sorted(times), percent) for percent in (50, 95)}
    return {name: None if value is None else round(value, 1) for name, value in found.items()}
