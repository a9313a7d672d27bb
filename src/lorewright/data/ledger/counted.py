"""Counts what Axolotl made of each line: tokens trained and masked, samples kept, cut and dropped, and where those came from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LISTED = 50
Sample = dict[str, Any]


@dataclass
class Counted:
    """One side of the set. tokens: of the samples that are trained on. lengths: how many of those have so many tokens.

    dropped: as too long; left_out: for another reason, such as being a duplicate. lost: (line, document, what happened, tokens before)
    of samples that were cut, dropped or left out, the first fifty. faults: (line, document, what is wrong with the mask).
    """

    samples: int = 0
    kept: int = 0
    truncated: int = 0
    dropped: int = 0
    left_out: int = 0
    tokens: int = 0
    trained: int = 0
    longest: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    lost: list[tuple[int, str, str, int]] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def used(self) -> int:
        """Samples that Axolotl trains on."""
        return self.kept + self.truncated

    def add(self, sample: Sample) -> None:
        self.samples += 1
        self.longest = max(self.longest, sample["length"])
        fate = sample["fate"]
        setattr(self, fate, getattr(self, fate) + 1)
        if fate != "kept" and len(self.lost) < LISTED:
            self.lost.append((sample["line"], sample["document"], fate, sample["length"]))
        if sample["fault"]:
            self.faults.append((sample["line"], sample["document"], sample["fault"]))
        if fate in ("kept", "truncated"):
            self.tokens += sample["tokens"]
            self.trained += sample["trained"]
            self.lengths[sample["tokens"]] += 1


@dataclass(frozen=True)
class Ledger:
    """Both sides, the template's opening of an answer, and what the time of training follows from; see workers/ledger.py."""

    training: Counted
    validation: Counted
    opening: str
    refused: str
    parameters: float
    flops: float
    gpu: bool
    devices: int

    def figures(self) -> dict[str, Any]:
        """What ledger.json keeps: nothing that depends on the machine."""
        return {name: _figures(getattr(self, name)) for name in ("training", "validation")} | {
            "opening": self.opening,
        }  # fmt: skip


def _figures(side: Counted) -> dict[str, Any]:
    return {
        "samples": side.samples, "kept": side.kept, "truncated": side.truncated, "dropped": side.dropped, "left_out": side.left_out,
        "tokens": side.tokens,
        "trained_tokens": side.trained, "masked_tokens": side.tokens - side.trained, "longest": side.longest,
        "lengths": {str(length): count for length, count in sorted(side.lengths.items())},
        "lost": side.lost, "faults": side.faults[:LISTED],
    }  # fmt: skip


def samples(file: Path) -> Iterator[Sample]:
    with open(file, encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def count(file: Path, facts: Path) -> Ledger:
    """file, facts: what workers/ledger.py has written."""
    sides = {"training": Counted(), "validation": Counted()}
    for sample in samples(file):
        sides[sample["split"]].add(sample)
    return Ledger(sides["training"], sides["validation"], **json.loads(facts.read_text(encoding="utf-8")))
