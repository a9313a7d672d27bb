"""Sizes in words."""

from __future__ import annotations

GIB = 2**30


def gib(size: float) -> str:
    """bytes -> `15.0 GiB`, `34 MiB`."""
    if size >= GIB / 10:
        return f"{size / GIB:,.1f} GiB"
    return f"{round(size / 2**20)} MiB" if size >= 2**20 else "less than 1 MiB"
