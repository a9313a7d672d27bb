"""What a run was made of and what came of it, in groups of plain values that can be laid beside another run's."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from importlib.metadata import distributions
from typing import Any

from lorewright.envs import cache_root
from lorewright.history.kept import Kept
from lorewright.manifest import digest, read_json
from lorewright.models.lineage import NAME as LINEAGE

# What the files are that a stage reads.
READS = {
    "extract": "manuscript",
    "prepare": "manuscript",
    "ingest": "lore",
    "ledger": "base model",
    "convert": "base model",
    "train": "base model",
}
# Stages whose result is the same bytes when it is made again; an index and answers are not. Of models the weights count:
# beside them stand settings that name folders of the machine.
EXACT = ("extract", "prepare", "ledger", "convert", "train", "merge")
COUNTS = {
    "extract": {"documents": "documents", "characters": "characters"},
    "prepare": {"training": "examples trained", "validation": "examples held out", "removed": "taken out"},
    "ledger": {
        "samples": "samples", "tokens": "tokens", "trained_tokens": "tokens trained", "truncated": "samples cut",
        "dropped": "samples dropped", "steps": "steps",
    },
    "ingest": {"files": "lore files", "chunks": "lore passages"},
}  # fmt: skip
RESULTS = (
    "steps", "adapter_step", "tokens", "trainable_parameters", "final_loss", "first_eval_loss", "eval_loss", "best_eval_loss",
    "best_eval_step",
)  # fmt: skip
SPEED = ("tokens_per_second", "peak_vram_bytes", "reserved_vram_bytes", "energy_joules", "attempts")

Groups = dict[str, dict[str, Any]]


def groups(kept: Kept) -> Groups:
    """recipe, data, versions, hardware, results, speed: what is not known is left out."""
    steps = {stage: kept.step(stage) for stage in kept.stages}
    figures = steps.get("train", {}).get("facts", {}).get("figures", {})
    return {
        "recipe": recipe(kept),
        "data": _data(steps),
        "versions": _versions(kept, steps),
        "hardware": _known(dict(kept.record.get("machine", {})) | {key: figures.get(key) for key in ("device", "gpus")}),
        "results": _results(steps, figures) | _benchmarks(kept),
        "speed": _speed(steps, figures),
    }


def recipe(kept: Kept) -> dict[str, Any]:
    """The recipe's values, paths as they lie from its folder where that is known: a moved tree has the same."""
    values, file = as_written(kept), kept.record.get("file")
    found = _from(os.path.dirname(file), values) if file else values
    return dict(found)


def as_written(kept: Kept) -> dict[str, Any]:
    """The recipe's values; what it extends is in them."""
    return {key: value for key, value in kept.record.get("recipe", {}).items() if key != "extends"}


def _from(folder: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _from(folder, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_from(folder, part) for part in value]
    return os.path.relpath(value, folder) if isinstance(value, str) and value.startswith("/") else value


def _data(steps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Files as `manuscript raw/one.md`, with their SHA-256; counts."""
    found: dict[str, Any] = {}
    for stage, step in steps.items():
        for name, sha in step.get("inputs", {}).items() if stage in READS else ():
            place, _, file = name.partition("/")
            key = f"{READS[stage]} {file}"
            found[key if found.get(key, sha) == sha else f"{READS[stage]} {place}/{file}"] = sha
    for stage, counts in COUNTS.items():
        facts = steps.get(stage, {}).get("facts", {})
        found |= {said: facts[key] for key, said in counts.items() if key in facts}
    return found


def _versions(kept: Kept, steps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found = {"lorewright": kept.record.get("lorewright"), "Python": kept.record.get("python")}
    for stage, step in steps.items():
        name, _, key = str(step.get("environment", "")).rpartition("-")
        found |= {f"environment {name}": key} if name else {}
        found |= {f"lorewright's {stage}": step["version"]} if "version" in step else {}
        found |= {"commit of the base model": step.get("facts", {}).get("base_model_commit")}
    folder = kept.folder("train")
    lineage = (read_json(folder / LINEAGE) or {}) if folder else {}
    return _known(found | lineage.get("versions", {}))


def packages(environment: str) -> dict[str, str]:
    """name -> version of all that an environment (NAME-KEY) holds; empty when it is not on this machine."""
    places = [str(place) for place in (cache_root() / "envs" / environment).glob("lib/python3*/site-packages")]
    return {str(one.metadata["Name"]).lower().replace("_", "-"): one.version for one in distributions(path=places)}


def _results(steps: Mapping[str, Mapping[str, Any]], figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the training, and what the stages have made, by its digest."""
    train = steps.get("train", {}).get("facts", {})
    found = {key: figures[key] for key in RESULTS if key in figures}
    found |= {"steps down for want of memory": [step["said"] for step in train.get("out_of_memory", [])] or None}
    return _known(found | {f"made by {stage}": made(steps[stage]) for stage in EXACT if stage in steps})


def made(step: Mapping[str, Any]) -> str | None:
    """What tells a stage's result: the digest of its weights where it has made some, else of all that it left."""
    weights = {name: sha for name, sha in step.get("outputs", {}).items() if name.endswith(".safetensors")}
    return digest(weights) if weights else step.get("digest")


def _speed(steps: Mapping[str, Mapping[str, Any]], figures: Mapping[str, Any]) -> dict[str, Any]:
    took = {f"seconds of {stage}": step.get("seconds") for stage, step in steps.items()}
    return _known({key: figures.get(key) for key in SPEED} | {"seconds of the steps": figures.get("seconds")} | took)


def _benchmarks(kept: Kept) -> dict[str, Any]:
    """The newest figures of each benchmark that measured the very results of this run, whichever run asked for it."""
    found: dict[str, Any] = {}
    for file in sorted(kept.file.parent.glob("*.json")):
        for name, measured in (read_json(file) or {}).get("benchmarks", {}).items():
            mine = {stage: kept.record["steps"].get(stage, {}).get("fingerprint") for stage in measured["of"]}
            if mine == measured["of"]:
                found |= {f"{name} {key}": value for key, value in measured["figures"].items()}
    return found


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
