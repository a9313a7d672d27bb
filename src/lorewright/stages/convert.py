"""The base model in NF4, from which trainings in 4 bit start."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.models.hub import commit, fetch, snapshot
from lorewright.models.nf4 import folder as nf4
from lorewright.plan import IN_NF4, Step
from lorewright.preflight.base_model import base_model
from lorewright.preflight.convert import refused
from lorewright.preflight.found import BAD
from lorewright.recipe import is_folder
from lorewright.stages.run import Facts, Run


def convert(step: Step, run: Run) -> Facts:
    """Made once for all recipes of this base model; one that was broken off goes on with the tensor where it was."""
    source = _source(run)
    if problem := refused(run.recipe, source):
        raise LorewrightError(problem.said, where=str(source), remedy=problem.remedy)
    output, begun = run.work / IN_NF4, time.monotonic()
    if (read_json(output / nf4.RECORD) or {}).get("source") != str(source.absolute()):  # else it was cut off after all was done
        with run.console.bar("convert") as bar:
            done = nf4.convert(source, output, bar, overwrite=True)
        said = nf4.said(done, time.monotonic() - begun)
    else:
        said = "the weights were all there"
    run.afterwards = _clear
    return {"said": said, "base_model_commit": None if is_folder(run.recipe.base_model) else commit(run.recipe.base_model)}


def _source(run: Run) -> Path:
    """The folder of the base model, fetched from the hub where it is not whole. Raises LorewrightError where it cannot be had."""
    name = run.recipe.base_model
    model, found = base_model(name)
    if found.state == BAD:
        raise LorewrightError(found.said, remedy=found.remedy)
    if is_folder(name):
        return Path(name)
    there = snapshot(name)
    if there and model.shapes:  # of a model that is not whole here the hub's list is told, which has none
        return there
    run.console.line(f"convert   {found.said}")
    return fetch(name)


def _clear(folder: Path) -> None:
    """A model that was made again by force takes the room of two only until then."""
    for replaced in folder.parent.glob(f"{folder.name}.replaced-*"):
        shutil.rmtree(replaced, ignore_errors=True)
