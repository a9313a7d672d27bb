"""What the ledger says of the set that will be trained on: refused, losing samples, of an earlier recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lorewright import envs
from lorewright.data.ledger import check, count
from lorewright.errors import LorewrightError
from lorewright.manifest import RECORD, Hashes, digest, fingerprint, read_json
from lorewright.plan import Paths, Plan
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.preflight.wanted import Wanted
from lorewright.progress import shown

NAME = "set"
SAMPLES, FACTS = "samples.jsonl", "facts.json"


def ledger(wanted: Wanted) -> Found:
    """Of the ledger that the training was given; else of the one that the recipe would have now."""
    if wanted.ledger:
        return _given(wanted, wanted.ledger)
    try:
        folder, unmade = standing(wanted.plan, wanted.paths, "ledger")
    except LorewrightError as problem:
        return bad(NAME, f"{problem.where}: {problem.what}", problem.remedy)
    if not unmade:
        return _judged(read_json(folder / "ledger.json"))
    if unmade == "ledger" and (folder.with_suffix(".partial") / FACTS).exists():
        return _refused(wanted, folder.with_suffix(".partial"))
    make = f"./lorewright prepare {shown(wanted.recipe.file)} counts it before a card is used"
    if wanted.paths.latest(wanted.plan.step("ledger")).exists():
        return warn(NAME, "the set has been counted, and the recipe or its texts have changed since", make)
    return good(NAME, f"not made yet: {make}")


def _given(wanted: Wanted, folder: Path) -> Found:
    """A run with --from train takes what is there, older or not."""
    record, step = read_json(folder / RECORD) or {}, wanted.plan.step("ledger")
    prepared = read_json(wanted.paths.latest(wanted.plan.step("prepare")) / RECORD) or {}
    same = digest(record.get("part")) == digest(step.part) and record.get("needs", {}).get("prepare") == prepared.get("digest")
    if not same:
        return warn(NAME, "it was counted for an earlier recipe or another set", "without --from it is counted anew")
    return _judged(read_json(folder / "ledger.json"))


def _judged(figures: Any) -> Found:
    """figures: as Ledger.figures writes them."""
    side = (figures or {}).get("training", {})
    kept, lost = side.get("kept", 0) + side.get("truncated", 0), [(side.get(key, 0), key) for key in ("truncated", "dropped", "left_out")]
    words = {"truncated": "cut", "dropped": "dropped as too long", "left_out": "left out"}
    losses = ", ".join(f"{number} {words[key]}" for number, key in lost if number)
    said = f"{kept:,} samples, {side.get('tokens', 0):,} tokens"
    if not kept:
        return bad(NAME, "no sample is left to train on", "look at prepare's report")
    if losses:
        return warn(NAME, f"{said}; {losses}", "data.chunk.max or axolotl.sequence_len decides")
    return good(NAME, said)


def _refused(wanted: Wanted, partial: Path) -> Found:
    """The stage ended with an error: judged once more from what it left."""
    data = wanted.recipe.data
    assert data
    try:
        check(count(partial / SAMPLES, partial / FACTS), data.max_dropped, str(partial / SAMPLES))
    except LorewrightError as problem:
        return bad(NAME, problem.what, problem.remedy)
    except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError):
        pass  # it was cut off while it wrote
    return good(NAME, "was being counted when the last run ended; it will be counted anew")


def standing(plan: Plan, paths: Paths, name: str) -> tuple[Path, str]:
    """(the folder that a stage has for the recipe as it is, the first of the stages up to it that is not made; "" for none).

    Nothing is hashed for a stage of which no result is there. Raises LorewrightError for sources that are gone.
    """
    hashes, digests = Hashes.open(paths.hashes), dict[str, str]()
    for step in _up_to(plan, name):
        if not paths.place(step).is_dir():
            return paths.place(step), step.name
        key, inputs = envs.locate(step.environment).key, hashes.inputs(step.texts, step.files)
        folder = paths.folder(step, fingerprint(step, key, inputs, {need: digests[need] for need in step.needs}))
        record = read_json(folder / RECORD)
        if record is None:
            return folder, step.name
        digests[step.name] = record["digest"]
    return folder, ""


def _up_to(plan: Plan, name: str) -> list[Any]:
    """A stage and all that it is made from, in the plan's order."""
    wanted = {name}
    for step in reversed(plan.steps):
        wanted |= set(step.needs) if step.name in wanted else set()
    return [step for step in plan.steps if step.name in wanted]
