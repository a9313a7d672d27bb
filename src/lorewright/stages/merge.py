"""The adapter goes into the base model."""

from __future__ import annotations

from lorewright import envs, process
from lorewright.models.merge import check_whole, complete
from lorewright.plan import Step
from lorewright.stages.run import Facts, Run


def merge(step: Step, run: Run) -> Facts:
    """The adapter goes into the base model, shard by shard."""
    adapter = run.done["train"] / "adapter"
    with run.console.bar("merge") as bar:
        bar(0, None, "axolotl merge-lora")
        process.run(
            [str(envs.ensure("train").path / "bin" / "axolotl"), "merge-lora", str(run.done["train"] / "axolotl.yaml"),
             "--lora-model-dir", str(adapter), "--output-dir", str(run.work)],
            environment=run.tool_environment("train"), log=run.paths.log("merge"), folder=run.work,
        )  # fmt: skip
    complete(run.work / "merged", adapter)
    facts = check_whole(run.work / "merged")
    return facts | {"said": f"{facts['shards']} shard{'s' if facts['shards'] > 1 else ''}, {facts['bytes'] / 1e6:,.1f} MB"}
