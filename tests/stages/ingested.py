"""Lore to ingest, and what an ingest says of itself."""

from __future__ import annotations

from pathlib import Path

from lorewright.manifest import read_json
from lorewright.runner import Choice, _Runner
from lorewright.stages import Run


def lore(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        (folder / "lore" / f"{number}.md").write_text(f"# Day {number}\n\nOn day {number} it rained on the nets.")
    return folder / "lore"


def fingerprints(run: Run) -> tuple[str, str]:
    """What names the proxy, and the answers to the recipe's questions."""
    runner = _Runner(run, Choice())
    for step in run.plan.steps:
        if step.name == "ingest":
            runner._artifact(step, make=False)
        else:
            runner._fingerprint(step)
    return runner.prints["rag"], runner.prints["query"]


def facts(run: Run) -> dict[str, object]:
    return dict(read_json(run.paths.latest(run.plan.step("ingest")) / "step.json")["facts"])
