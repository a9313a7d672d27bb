"""What finished trainings teach the forecast: how far it was off on this kind of device, in memory and in time.

The file `forecast.json` in the user's cache keeps one line a training: what was predicted and what was measured, and of which device.
Removing it forgets all; the next plan learns again from the trainings that still lie in the runs folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lorewright.envs import cache_root
from lorewright.manifest import read_json, write_json
from lorewright.training.forecast.gpus import plain

NEWEST = 9  # trainings of a kind of device that count
# A measurement this far off is a disturbed one (another program on the card, a suspended machine), or a forecast that is wrong in
# another way than by a factor: it is kept, and not used.
WILD = 2.0
VERSION = 3  # of the forecast: what was learnt of another one says nothing about this one. Raised with every change of its figures


@dataclass(frozen=True)
class Correction:
    """Factors on the forecast. trainings: how many were used."""

    memory: float = 1.0
    time: float = 1.0
    trainings: int = 0


NONE = Correction()


@dataclass(frozen=True)
class Lesson:
    """A finished training. key: its fingerprint. memory, time: measured over predicted; None where it was not measured. version: of
    the forecast that predicted it."""

    key: str
    device: str
    recipe: str
    memory: float | None
    time: float | None
    version: int = VERSION

    @property
    def of(self) -> tuple[str, str, int]:
        """What it is a lesson of: a training may be done again on another card."""
        return self.key, self.device, self.version

    @property
    def usable(self) -> bool:
        found = [ratio for ratio in (self.memory, self.time) if ratio is not None]
        return bool(found) and self.version == VERSION and all(1 / WILD <= ratio <= WILD for ratio in found)


def store() -> Path:
    return cache_root() / "forecast.json"


def lessons() -> list[Lesson]:
    """All that are kept, oldest first; none where the file cannot be read."""
    try:
        kept = read_json(store()) or []
        return [Lesson(**({"version": 1} | one)) for one in kept]
    except (ValueError, TypeError):
        return []


def keep(learnt: Sequence[Lesson]) -> None:
    """Adds trainings, each once."""
    known = {one.of: one for one in lessons()}
    fresh = [one for one in learnt if one.of not in known]
    if fresh:
        write_json(store(), [asdict(one) for one in (*known.values(), *fresh)])


def correction(device: str, known: Sequence[Lesson]) -> Correction:
    """The median of the newest trainings on this kind of device, and only half of the way for a single one: an outlier moves little."""
    used = [one for one in known if plain(one.device) == plain(device) and one.usable][-NEWEST:]
    memory = _factor([one.memory for one in used if one.memory is not None])
    return Correction(memory, _factor([one.time for one in used if one.time is not None]), len(used))


def _factor(ratios: Sequence[float]) -> float:
    """One training counts for half, two for two thirds …: the exact forecast stands beside them as one more."""
    return float(median(ratios) ** (len(ratios) / (len(ratios) + 1))) if ratios else 1.0


def measured(folder: Path) -> Mapping[str, Any] | None:
    """training.json of a finished training; None where there is none that can be read."""
    try:
        found = read_json(folder / "training.json")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
