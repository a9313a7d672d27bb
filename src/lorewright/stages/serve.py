"""vLLM on the trained model."""

from __future__ import annotations

from lorewright import envs
from lorewright.manifest import write_whole
from lorewright.plan import Step
from lorewright.serving import vllm
from lorewright.stages.run import Launch, Run


def serve(step: Step, run: Run) -> Launch:
    """vLLM on the merged model, or on the base model when the recipe trains nothing."""
    model = str(run.done["merge"] / "merged") if "merge" in run.done else run.recipe.base_model
    by_hand = "By hand, with this folder's vllm.yaml: python -m vllm.entrypoints.openai.api_server --config vllm.yaml"
    header = f"vLLM's configuration of recipe {run.recipe.name}, written by lorewright.\n{by_hand}"
    write_whole(run.work / "vllm.yaml", vllm.to_yaml(vllm.vllm_config(run.recipe, model, run.accelerator), header))
    environment = run.tool_environment("serve", vllm.variables(run.accelerator))
    return Launch(vllm.command(envs.ensure("serve").python, run.work / "vllm.yaml"), environment, "/health", run.recipe.serve.start_timeout)
