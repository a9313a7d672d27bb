"""The adapter goes into the base model."""

from __future__ import annotations

import yaml

from lorewright import envs, process
from lorewright.manifest import write_whole
from lorewright.models.merge import check_whole, complete
from lorewright.plan import Step
from lorewright.recipe import split_revision
from lorewright.stages.run import Facts, Run
from lorewright.training.render import to_yaml


def merge(step: Step, run: Run) -> Facts:
    """The adapter goes into the base model, shard by shard."""
    adapter = run.done["train"] / "adapter"
    config = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text(encoding="utf-8"))
    config["base_model"] = split_revision(run.recipe.base_model)[0]  # the folder may have moved since
    write_whole(run.work / "axolotl.yaml", to_yaml(config, "The training's configuration, for the merge. Written by lorewright."))
    with run.console.bar("merge") as bar:
        bar(0, None, "axolotl merge-lora")
        process.run(
            [str(envs.ensure("train").path / "bin" / "axolotl"), "merge-lora", "axolotl.yaml",
             "--lora-model-dir", str(adapter), "--output-dir", str(run.work)],
            environment=run.tool_environment("train"), log=run.paths.log("merge"), folder=run.work,
        )  # fmt: skip
    complete(run.work / "merged", adapter)
    facts = check_whole(run.work / "merged")
    return facts | {"said": f"{facts['shards']} shard{'s' if facts['shards'] > 1 else ''}, {facts['bytes'] / 1e6:,.1f} MB"}
