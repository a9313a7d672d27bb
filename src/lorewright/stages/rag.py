"""The proxy that puts lore before the model."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Any

from lorewright import envs, process
from lorewright.manifest import write_json
from lorewright.plan import PROXY_KEYS, Step
from lorewright.rag.keys import api_keys, require_key
from lorewright.services import base_url
from lorewright.stages.run import Launch, Run


def rag(step: Step, run: Run) -> Launch:
    """The proxy that puts lore before the model."""
    settings = run.recipe.rag
    assert settings
    require_key(settings.host, api_keys())
    values = asdict(settings)
    newest = run.paths.latest(run.plan.step("ingest"))  # a link: the proxy looks where it leads
    config: dict[str, Any] = {
        "upstream": base_url(run.recipe.serve.host, run.recipe.serve.port), "index": str(newest / "index"),
        "embedding_model": settings.embedding_model, "top_k": settings.top_k, "max_distance": settings.max_distance,
        "recipe": run.recipe.name, **{key: values[key] for key in PROXY_KEYS},
        "retrieval": {key: values[key] for key in ("lexical", "per_source", "neighbours", "rerank")},
    }  # fmt: skip
    write_json(run.work / "rag.json", config)
    # Indexes come and go in many threads: with an arena for each, the memory of those that are gone stays scattered and is not reused.
    arenas = {"MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2")}
    environment = process.tool_environment(None, {"PYTHONPATH": str(envs.PACKAGE.parent)} | arenas)
    return Launch([sys.executable, "-m", "lorewright.rag", "--config", str(run.work / "rag.json")], environment, "/health?lore=newest", 120)
