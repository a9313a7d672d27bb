"""A run as it was kept: its manifest, and the records of the steps that it made or found made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.manifest import RECORD, read_json


@dataclass(frozen=True)
class Kept:
    """file: the manifest, RUNS/RECIPE/manifests/RUN.json. record: what stands in it."""

    file: Path
    record: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> Kept:
        return cls(file, dict(read_json(file) or {}))

    @property
    def run(self) -> str:
        return self.file.stem

    @property
    def home(self) -> Path:
        """The recipe's folder below the runs folder."""
        return self.file.parent.parent

    @property
    def title(self) -> str:
        """One line that tells it from others."""
        day, _, hour = str(self.record.get("started", "")).removesuffix("Z").partition("T")
        return f"{self.home.name}  {self.run}  {self.record.get('status')}, started {day} {hour[:5]} UTC"

    @property
    def stages(self) -> list[str]:
        """What the run made or found made, in the order of its plan."""
        steps = self.record.get("steps", {})
        return [name for name in self.record.get("plan", []) if steps.get(name, {}).get("action") in ("made", "skipped")]

    def folder(self, stage: str) -> Path | None:
        """Where the stage's result lies, also after a forced run has put another in its place; None when it is gone."""
        told = self.record["steps"].get(stage, {})
        if not told.get("fingerprint"):
            return None
        places = [self.home / stage, self.home.parent / "models", *(self.home.parent / "collections").glob("*")]
        found = [folder for place in places for folder in place.glob(f"{told['fingerprint']}*") if (folder / RECORD).is_file()]
        same = [folder for folder in found if told.get("digest") in (None, _digest(folder))]
        return min(same, key=lambda folder: len(folder.name), default=None)

    def step(self, stage: str) -> dict[str, Any]:
        """All that is known of a stage: its own record, and over it what the manifest tells."""
        folder = self.folder(stage)
        own = dict(read_json(folder / RECORD) or {}) if folder else {}
        return own | dict(self.record["steps"].get(stage, {}))


def _digest(folder: Path) -> Any:
    return (read_json(folder / RECORD) or {}).get("digest")
