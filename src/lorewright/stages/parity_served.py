"""Whether vLLM serves the model that was trained: asked the same as the merged model was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lorewright.manifest import read_json
from lorewright.models.parity.compare import Bound, compare, read
from lorewright.models.parity.ends import End
from lorewright.models.parity.judged import Side
from lorewright.models.parity.questions import TOP
from lorewright.models.parity.served import Server, observe, stops_after
from lorewright.models.parity.told import NAME, told
from lorewright.plan import Step
from lorewright.services import base_url
from lorewright.stages.run import Facts, Run


def parity_served(step: Step, run: Run) -> Facts:
    """Asks the running vLLM. It is compared with the merged model; where the adapter is held beside the base, with what was trained."""
    before, serve = run.done["parity"], run.recipe.serve
    server = Server(base_url(serve.host, serve.port), run.recipe.name, _top(run))
    observed = run.work / "served.jsonl"
    with run.console.bar("parity") as bar:
        observe(server, before / "asked.jsonl", observed, bar)
    trained = before / "trained.jsonl"
    reference = trained if serve.on_base else before / "merged.jsonl"
    verdict = compare(reference, observed, Bound(**step.part["bound"]), trained, before / "base.jsonl")
    known = read_json(before / NAME)
    end = _end(server, known["merged"]["end"], trained)
    return told({"served": Side("served", verdict, end)}, known["asked"], run.recipe.name, run.work, run.console)


def _top(run: Run) -> int:
    """vLLM's max_logprobs: 20 unless the recipe says otherwise, -1 for as many as there are."""
    most = int((run.recipe.vllm or {}).get("max_logprobs", TOP))
    return TOP if most < 0 else max(1, most)


def _end(server: Server, known: dict[str, Any], trained: Path) -> End:
    end = End(known["token"], known["text"], tuple(known["known"]))
    if end.token < 0:
        return end
    prompt = next(iter(read(trained).values())).prompt
    return replace(end, stops=stops_after(server, prompt, end.token))
