"""Where a trained model comes from: lineage.json beside the adapter, of which the model cards are made.

It names files, hub models and hashes, and no path of this machine.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lorewright import __version__
from lorewright.data.report.counted import examples
from lorewright.manifest import RECORD, digest, read_json
from lorewright.models.licence import licence_of
from lorewright.recipe import Recipe, is_folder, split_revision
from lorewright.training.page import Trained, method, perplexity, took

NAME = "lineage.json"
SOURCES = 100  # so many documents are named
PROMPTS = 500  # so many examples are looked at for the system prompt that they share


def lineage(trained: Trained, recipe: Recipe, model: str, commit: str | None, prepared: Path, adapter: Path, asked: str) -> dict[str, Any]:
    """All that the cards tell. asked: the hash of the recipe's file as the training began.

    model: the base that was trained, a hub name or a folder. commit: of a hub's model, where it is known. prepared: the finished folder
    of the training set. adapter: the folder of the adapter, which stands in that of its training.
    """
    base = Path(model).name if is_folder(model) else split_revision(model)[0]
    said = trained.verdict
    return {
        "name": trained.name, "base_model": base, "on_hub": not is_folder(model), "commit": commit,
        "licence": licence_of(model),
        "adapter": trained.axolotl.get("adapter"), "rank": trained.axolotl.get("lora_r"),
        "language": (read_json(prepared / "style.json") or {}).get("language"), "system_prompt": system_prompt(prepared / "training.jsonl"),
        "template": "chat_template.jinja" if (adapter / "chat_template.jinja").exists() else None,
        "set": _set(trained, recipe, prepared), "rights": rights(recipe),
        "method": method(trained), "memory": list(trained.memory), "took": took(trained),
        "verdict": f"{said.said} {said.next}".strip(), "results": _results(trained.record),
        "recipe": {"file": recipe.file.name, "sha256": asked, "values_digest": values_digest(recipe)},
        "fingerprint": adapter.parent.name.removesuffix(".partial"), "versions": {"lorewright": __version__} | dict(trained.versions),
    }  # fmt: skip


def rights(recipe: Recipe) -> list[tuple[str, str]]:
    """What the recipe notes of its sources' rights, for the cards."""
    return recipe.data.rights_told if recipe.data else []


def system_prompt(training: Path) -> str:
    """The system message that the examples share; "" where they have none or several."""
    found: Counter[str] = Counter()
    for example in islice(examples(training), PROMPTS):
        turns = example.get("messages") or [{}]
        found[str(turns[0].get("content") or "") if turns[0].get("role") == "system" else ""] += 1
    return next(iter(found)) if len(found) == 1 else ""


def values_digest(recipe: Recipe) -> str:
    """16 hex digits of all the recipe's values: with what it extends, overrides and defaults, in a smoke run the small ones.

    Paths count as they lie from the recipe's folder, so that a moved tree has the same.
    """
    return digest(_from(recipe.file.parent, recipe.resolved))


def _from(folder: Path, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _from(folder, part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_from(folder, part) for part in value]
    return os.path.relpath(value, folder) if isinstance(value, str) and value.startswith("/") else value


def _set(trained: Trained, recipe: Recipe, prepared: Path) -> dict[str, Any]:
    names = sorted({str(example.get("document") or "") for example in examples(prepared / "training.jsonl")} - {""})
    counts = (read_json(prepared / RECORD) or {}).get("facts", {})
    return {
        "training": counts.get("training", 0), "validation": counts.get("validation", 0),
        "tokens": trained.ledger.get("training", {}).get("tokens", 0), "format": recipe.data.format if recipe.data else "",
        "documents": [Path(name).name if name.startswith("/") else name for name in names[:SOURCES]], "more": max(0, len(names) - SOURCES),
        "hashes": {name: sha256(prepared / name) for name in ("training.jsonl", "validation.jsonl") if (prepared / name).exists()},
    }  # fmt: skip


def _results(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(which, loss, perplexity)."""
    at_best = f"held-out text, best, at step {record.get('best_eval_step')}"
    rows = [("held-out text, first measured", "first_eval_loss"), (at_best, "best_eval_loss"), ("held-out text, at the end", "eval_loss")]
    if record.get("best_eval_loss") == record.get("eval_loss"):
        del rows[1]
    known = [(what, float(record[key])) for what, key in rows if record.get(key) is not None]
    known += [("trained text, last logged step", float(record["final_loss"]))] if record.get("final_loss") is not None else []
    return [(what, f"{loss:.3f}", f"{perplexity(loss):,.1f}") for what, loss in known]


def sha256(file: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
