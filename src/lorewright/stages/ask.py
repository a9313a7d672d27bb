"""Augmentation inside of prepare: whom the recipe asks, and the questions that come back about its passages."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from lorewright.data.augment import Item, augment, endpoint_of, items_of_passages
from lorewright.data.formats.passages import Passage
from lorewright.recipe import Data
from lorewright.services import base_url
from lorewright.stages.run import Run

FOLDER = "augment"


def asked(items: list[Item], run: Run, data: Data) -> Path:
    """Asks about every item; the file of rows that came of it. Nothing that was ever answered for this recipe is asked again."""
    assert data.augment
    serve = run.recipe.serve
    endpoint = endpoint_of(data.augment, f"{base_url(serve.host, serve.port)}/v1", run.recipe.name)
    folder = run.paths.home / FOLDER  # beside the stages: what was paid for outlives every change of the recipe
    folder.mkdir(parents=True, exist_ok=True)
    facts = augment(items, data.augment, folder, run.console, endpoint=endpoint)
    return folder / str(facts["output"])


def questions_about(passages: Sequence[Passage], run: Run, data: Data) -> dict[tuple[str, int], list[str]]:
    """(document, number) -> the questions that a model asked about the passage."""
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    items = items_of_passages((passage.document, passage.number, passage.text) for passage in passages)
    with open(asked(items, run, data), encoding="utf-8") as rows:
        for line in rows:
            row = json.loads(line)
            found[row["document"], row["passage"]].append(row["question"])
    return found
