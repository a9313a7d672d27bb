"""Axolotl trains the adapter."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorewright import envs, process
from lorewright.models.hub import commit
from lorewright.plan import Step
from lorewright.recipe import is_folder
from lorewright.serving import turns
from lorewright.serving.gpu import visible
from lorewright.stages.axolotl_yaml import write_axolotl_yaml
from lorewright.stages.run import Facts, Run
from lorewright.training.chart import draw_loss
from lorewright.training.divergence import Finding, LostError, Watch, remedy, stopped
from lorewright.training.progress import Progress, curve, summary
from lorewright.training.resume import drop_broken_checkpoints


def train(step: Step, run: Run) -> Facts:
    """Axolotl trains the adapter; what it logs becomes a progress bar, a curve and numbers."""

    config = write_axolotl_yaml(run, step.name)
    step_done = drop_broken_checkpoints(run.work / "adapter")
    if step_done:
        run.console.line(f"train     goes on from step {step_done}")
    progress = Progress(points=_earlier_points(run.work / "points.jsonl"))
    watch = _watch(config, progress.points, step_done)
    begun = time.monotonic()
    wanted, asker = visible(run.accelerator), turns.Asker(f"training of {run.recipe.name}")
    with (
        turns.cards(wanted, asker, run) as held,
        run.console.bar("train") as bar,
        open(run.work / "points.jsonl", "a", encoding="utf-8") as points,
    ):

        def on_line(line: str) -> None:
            point = progress.read(line)
            if point:
                points.write(json.dumps(point | {"step": progress.step, "at": round(time.monotonic() - begun, 2)}) + "\n")
                points.flush()
                done = progress.step / progress.total if progress.total else 0.0
                _look(watch.judge(point | {"step": progress.step}, done), run, config)
            bar(progress.step, progress.total or None, progress.note())

        # accelerate holds a trainer without this variable to one thread
        environment = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))} | run.tool_environment("train")
        try:
            process.run(
                [str(envs.ensure("train").path / "bin" / "axolotl"), "train", "axolotl.yaml"],
                environment=environment, log=run.paths.log("train"), folder=run.work, on_line=on_line, handles=held,
            )  # fmt: skip
        except LostError as lost:
            raise stopped(lost.finding, run.work / "adapter", config) from None
    draw_loss(curve(progress.points, "loss"), curve(progress.points, "eval_loss"), run.recipe.name, run.work / "loss.png")
    facts = summary(progress) | {"resumed_from_step": step_done}
    if not is_folder(run.recipe.base_model):
        facts["base_model_commit"] = commit(run.recipe.base_model)
    losses = f"loss {facts['first_loss']:.3f} -> {facts['final_loss']:.3f}" if "first_loss" in facts else "no loss was logged"
    return facts | {"said": f"{facts['steps']} steps, {losses}"}


def _watch(config: Mapping[str, Any], points: list[dict[str, float]], step_done: int) -> Watch:
    """Knows the curve up to the step that the training goes on from."""
    watch = Watch(explosions=not config.get("loss_watchdog_threshold"))
    for point in points:
        if point["step"] <= step_done:
            watch.judge(point)
    return watch


def _look(finding: Finding | None, run: Run, config: Mapping[str, Any]) -> None:
    """A warning is told; what is lost ends the trainer."""
    if finding and finding.stop:
        raise LostError(finding)
    if finding:
        run.console.line(f"train     {finding.what}; {remedy(finding, config)}")


def _earlier_points(file: Path) -> list[dict[str, float]]:
    """What an interrupted training has logged; steps that are done again are logged again, and the later value counts."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]
