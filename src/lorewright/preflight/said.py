"""Sizes in words."""

from __future__ import annotations

GIB = 2**30


def gib(size: float) -> str:
    """bytes -> `15.0 GiB`, `34 MiB`."""
    return f"{size / GIB:,.1f} GiB" if size >= GIB / 10 else f"{max(1, round(size / 2**20))} MiB" if size else "0 MiB"
