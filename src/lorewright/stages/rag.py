"""The proxy that puts lore before the model."""

from __future__ import annotations

import sys
from dataclasses import asdict

from lorewright import envs, process
from lorewright.manifest import write_json
from lorewright.plan import Step
from lorewright.services import base_url
from lorewright.stages.run import Launch, Run


def rag(step: Step, run: Run) -> Launch:
    """The proxy that puts lore before the model."""
    settings = run.recipe.rag
    assert settings
    config = {
        "upstream": base_url(run.recipe.serve.host, run.recipe.serve.port), "index": str(run.done["ingest"] / "index"),
        "embedding_model": settings.embedding_model, "top_k": settings.top_k, "max_distance": settings.max_distance,
        "host": settings.host, "port": settings.port, "recipe": run.recipe.name,
        "retrieval": {
            "lexical": settings.lexical, "per_source": settings.per_source, "neighbours": settings.neighbours,
            "rerank": asdict(settings.rerank) if settings.rerank else None,
        },
    }  # fmt: skip
    write_json(run.work / "rag.json", config)
    environment = process.tool_environment(None, {"PYTHONPATH": str(envs.PACKAGE.parent)})
    return Launch([sys.executable, "-m", "lorewright.rag", "--config", str(run.work / "rag.json")], environment, "/health", 120)
