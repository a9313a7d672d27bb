"""The verdict for people and for the record: parity.json, a page, a table on the terminal; and an error where a side does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorewright.data.pages import render
from lorewright.errors import LorewrightError
from lorewright.manifest import write_json, write_whole
from lorewright.models.parity.judged import Side, figure, lines, percent, rows
from lorewright.progress import Console

NAME, REPORT = "parity.json", "report.html"


def told(sides: Mapping[str, Side], asked: str, name: str, folder: Path, console: Console) -> dict[str, Any]:
    """The facts of the stage. asked: what was asked, in words. name: of the recipe.

    Raises LorewrightError where a side is beyond its bound, after all has been written.
    """
    facts = {name: side.plain() for name, side in sides.items()}
    write_json(folder / NAME, {"asked": asked} | facts)
    write_whole(folder / REPORT, _page(sides, asked, name))
    for line in [_moved(sides, asked), *lines(sides)]:
        console.line(f"parity    {line}")
    for side in sides.values():
        if fault := side.fault:
            which = f"{side.name} as {side.label}" if side.label else side.name
            what = f"what was {which} is not what was trained, it broke in {fault.step} ({fault.cause}): {fault.said}"
            raise LorewrightError(what, where=str(folder / REPORT), remedy=fault.remedy)
    return facts | {"said": "; ".join(_said(side) for side in sides.values())}


def _said(side: Side) -> str:
    verdict = side.verdict
    return f"{side.label or side.name} as trained: divergence {figure(verdict.kl)} nats, {percent(verdict.top1)} likeliest words equal"


def _moved(sides: Mapping[str, Side], asked: str) -> str:
    share = next((side.verdict.share for side in sides.values() if side.verdict.share), None)
    return asked + (f"; the adapter moves the base model by {figure(share.moved)} nats" if share else "")


def _named(sides: Mapping[str, Side]) -> str:
    """What was looked at: merged; served; exported as F16, Q8_0 and Q4_K_M."""
    labels = [side.label for side in sides.values() if side.label]
    if not labels:
        return " and ".join(sides)
    return "exported as " + " and ".join([*([", ".join(labels[:-1])] if labels[:-1] else []), labels[-1]])


def _page(sides: Mapping[str, Side], asked: str, name: str) -> str:
    faults = [fault for side in sides.values() if (fault := side.fault)]
    return render(
        "parity.html", title=f"{name}: parity", name=name, lead=_moved(sides, asked) + ".", table=rows(sides), faults=faults,
        sides=_named(sides),
    )  # fmt: skip
