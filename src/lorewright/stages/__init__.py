"""What each step does: stage name -> function(step, run). Stages never call each other; paths come from plan.py."""

from __future__ import annotations

from collections.abc import Callable

from lorewright.plan import Step
from lorewright.stages.extract import extract
from lorewright.stages.ingest import ingest
from lorewright.stages.ledger import ledger
from lorewright.stages.merge import merge
from lorewright.stages.prepare import prepare
from lorewright.stages.query import query
from lorewright.stages.rag import rag
from lorewright.stages.run import Facts, Launch, Run
from lorewright.stages.serve import serve
from lorewright.stages.train import train

__all__ = ["ARTIFACTS", "SERVICES", "Launch", "Run"]

ARTIFACTS: dict[str, Callable[[Step, Run], Facts]] = {
    "extract": extract, "prepare": prepare, "ledger": ledger, "train": train, "merge": merge, "ingest": ingest, "query": query,
}  # fmt: skip
SERVICES: dict[str, Callable[[Step, Run], Launch]] = {"serve": serve, "rag": rag}
