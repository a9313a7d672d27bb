"""Whether each GGUF file is the model that was trained: asked by llama.cpp the same as the merged model was."""

from __future__ import annotations

from pathlib import Path

from lorewright.manifest import read_json
from lorewright.models.export.tools import Place, describe, observe_gguf
from lorewright.models.parity.compare import Bound, compare
from lorewright.models.parity.ends import End
from lorewright.models.parity.judged import Side
from lorewright.models.parity.told import NAME, told
from lorewright.plan import Step
from lorewright.stages.run import Facts, Run


def parity_exported(step: Step, run: Run) -> Facts:
    """Compares every type with the merged model, each within its own bound."""
    before, folder, log = run.done["parity"], run.done["export"], run.paths.log(step.name)
    known, sides = read_json(before / NAME), {}
    for kind, bound in step.part["bounds"].items():
        file, observed = folder / f"{run.recipe.name}-{kind}.gguf", run.work / f"{kind}.jsonl"
        with run.console.bar("parity") as bar:
            observe_gguf(file, before / "asked.jsonl", observed, log, bar)
        verdict = compare(before / "merged.jsonl", observed, Bound(**bound), before / "trained.jsonl", before / "base.jsonl")
        sides[kind] = Side("exported", verdict, _end(known["merged"]["end"], file, Place(log, run.work)), kind)
    return told(sides, known["asked"], run.recipe.name, run.work, run.console)


def _end(known: dict[str, object], file: Path, place: Place) -> End:
    """known: of the merged model's verdict."""
    return End(int(str(known["token"])), str(known["text"]), tuple(describe(file, place)["ends"]))
