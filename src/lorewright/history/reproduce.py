"""Makes a run again, in a place of its own, and compares."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lorewright import __version__
from lorewright.history import again
from lorewright.history.kept import Kept
from lorewright.history.verdict import Check, checks, summary
from lorewright.manifest import Hashes, write_json
from lorewright.plan import Paths, make_plan
from lorewright.progress import Console
from lorewright.runner import Choice, execute
from lorewright.stages import Run

VERDICT = "verdict.json"


@dataclass(frozen=True)
class Reproduced:
    """checks: stage by stage. good: whether the run was reproduced. new: the run that was made."""

    checks: list[Check]
    good: bool
    said: str
    versions: list[str]
    new: Kept
    file: Path


def reproduce(kept: Kept, tolerance: float, console: Console) -> Reproduced:
    """Runs the stages of a run again beside its results, which are only read. Raises LorewrightError before anything is run."""
    place = _place(kept)
    recipe = again.recipe_as_it_was(kept, place)
    plan = make_plan(recipe)
    stages = again.stages_again(kept, recipe, plan)
    hashes = Hashes.open(kept.home.parent / "hashes.json")
    files = again.check_inputs(kept, recipe, plan, stages, hashes)
    hashes.save()
    versions = again.versions_said(kept, plan, stages)
    console.stage("inputs", f"{files} files are as they were")
    console.stage(
        "versions",
        f"not as they were: {'; '.join(versions)}" if versions else f"as they were: lorewright {__version__}, the same environments",
    )
    old = {stage: kept.step(stage) for stage in stages}
    if hashes.store.exists():  # what the base model's files hash to need not be found out again
        shutil.copyfile(hashes.store, place / hashes.store.name)
    manifest = execute(Run(recipe, plan, Paths(place, recipe.name), console), Choice(only=tuple(stages)))
    return _verdict(kept, Kept.read(manifest), old, tolerance, versions, place / VERDICT)


def _place(kept: Kept) -> Path:
    """A folder that no finished reproduction has; one that was cut off goes on."""
    names = (kept.run if number == 1 else f"{kept.run}-{number}" for number in count(1))
    places = (kept.home / "reproduced" / name for name in names)
    return next(place for place in places if not (place / VERDICT).exists())


def _verdict(kept: Kept, new: Kept, old: Mapping[str, Mapping[str, Any]], tolerance: float, versions: list[str], file: Path) -> Reproduced:
    found = checks(old, {stage: new.step(stage) for stage in old}, tolerance)
    good, said = summary(found, tolerance)
    about = {"run": kept.run, "again": str(new.file), "reproduced": good, "said": said, "tolerance": tolerance, "versions": versions}
    write_json(file, about | {"checks": [asdict(check) for check in found]})
    return Reproduced(found, good, said, versions, new, file)
