"""vLLM on the trained model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lorewright import envs
from lorewright.manifest import write_whole
from lorewright.plan import Step
from lorewright.services import LogReader
from lorewright.serving import vllm
from lorewright.serving.diagnosis import explain
from lorewright.serving.gpu import visible
from lorewright.serving.phases import phase
from lorewright.serving.template import check_template, has_template
from lorewright.stages.run import Launch, Run
from lorewright.training.ladder_record import trained_model

READER = LogReader(phase, explain)


def serve(step: Step, run: Run) -> Launch:
    """vLLM on the merged model, or on the base model when the recipe trains nothing or holds adapters beside it."""
    text = configuration(run, run.done)
    write_whole(run.work / "vllm.yaml", text)
    model = trained_model(run.done["train"], run.recipe.base_model) if "train" in run.done else ""
    environment = run.tool_environment("serve", vllm.variables(run.accelerator, run.recipe), model=model)
    command = vllm.command(envs.ensure("serve").python, run.work / "vllm.yaml")
    return Launch(command, environment, "/health", run.recipe.serve.start_timeout, READER, _cards(run))


def configuration(run: Run, done: Mapping[str, Path]) -> str:
    """The text of vllm.yaml. done: folders of finished stages by name."""
    live = run.recipe.serve.on_base
    own = str(done["train"] / "adapter") if live and "train" in done else ""
    base = trained_model(done["train"], run.recipe.base_model) if "train" in done else run.recipe.base_model
    model = str(done["merge"] / "merged") if "merge" in done and not live else base
    check_template(model, run.recipe.chat_template)
    if not has_template(model, run.recipe.chat_template):
        run.console.line("serve     the model has no chat template: only /v1/completions will work; set chat_template in the recipe")
    by_hand = "By hand, with this folder's vllm.yaml: python -m vllm.entrypoints.openai.api_server --config vllm.yaml"
    header = f"vLLM's configuration of recipe {run.recipe.name}, written by lorewright.\n{by_hand}"
    return vllm.to_yaml(vllm.vllm_config(run.recipe, model, run.accelerator, own), header)


def _cards(run: Run) -> tuple[str, ...]:
    """The first of the visible cards, as many as the model is spread over."""
    given = run.recipe.vllm or {}
    wide = int(given.get("tensor_parallel_size", 1)) * int(given.get("pipeline_parallel_size", 1)) * int(given.get("data_parallel_size", 1))
    return visible(run.accelerator)[:wide]
