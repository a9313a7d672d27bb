"""One example as Axolotl sees it, for a person: the rendered template, with what is trained in colour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lorewright.data.ledger.counted import Sample, samples
from lorewright.errors import LorewrightError

TRAINED, MASKED, PLAIN = "\033[1;32m", "\033[2m", "\033[0m"


def in_terminal(file: Path, wanted: str, *, colour: bool) -> str:
    """The pieces of one line of the set. wanted: `7`, or `validation:7`. Without colour, ⟦ ⟧ stand around what is trained.

    Raises LorewrightError when there is no such line.
    """
    split, _, number = wanted.rpartition(":")
    found = list(_of_line(file, split or "training", number))
    return "\n\n".join(_shown(sample, colour=colour) for sample in found)


def _of_line(file: Path, split: str, number: str) -> Iterator[Sample]:
    last = 0
    for sample in samples(file):
        if sample["split"] == split:
            last = sample["line"]
            if str(last) == number.lstrip("0"):
                yield sample
    if split not in ("training", "validation"):
        raise LorewrightError(f"--show {split}:{number}: there is no such side", remedy="say a number, or validation:NUMBER")
    if not (number.isdigit() and 1 <= int(number) <= last):
        raise LorewrightError(f"--show {number}: there is no such {split} example", remedy=f"there are {last}, counted from 1")


def _shown(sample: Sample, *, colour: bool) -> str:
    length = f" of {sample['length']}" if sample["length"] != sample["tokens"] else ""
    said = f"{sample['split']} {sample['line']}, {sample['document'] or 'no document'}: {sample['tokens']}{length} tokens"
    head = f"{said}, {sample['trained']} trained, {sample['fate']}{', ' + sample['fault'] if sample['fault'] else ''}"
    on, off, end = (TRAINED, MASKED, PLAIN) if colour else ("⟦", "", "⟧")
    body = "".join(f"{on}{text}{end}" if trained else f"{off}{text}{end if colour else ''}" for trained, text in sample["spans"])
    return f"{head}\n\n{body.rstrip()}"
