"""Axolotl trains the adapter."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.models.hub import commit
from lorewright.plan import Step
from lorewright.recipe import is_folder
from lorewright.serving import turns
from lorewright.stages.axolotl_yaml import recipe_config, write_config
from lorewright.stages.launched import free_port, launched
from lorewright.stages.run import Facts, Run
from lorewright.training import ladder_record, out_of_memory
from lorewright.training.chart import draw_loss
from lorewright.training.divergence import Finding, LostError, Watch, remedy, stopped
from lorewright.training.ladder import Situation, Taken, applied, next_step
from lorewright.training.launch import Launcher
from lorewright.training.progress import Progress, curve, summary
from lorewright.training.resume import drop_broken_checkpoints
from lorewright.training.several import fitted, for_each
from lorewright.training.zero_checkpoint import check_shares

POINTS = "points.jsonl"


def train(step: Step, run: Run) -> Facts:
    """Axolotl trains the adapter; what it logs becomes a progress bar, a curve and numbers.

    Where memory runs out, the recipe's next step is taken and training goes on. Raises LorewrightError when there is none left.
    """
    launch, wanted = launched(run)
    asked = _shared(run, recipe_config(run, step.name), launch.processes)
    taken, clear = _remembered(run, asked)
    with turns.cards(wanted, turns.Asker(f"training of {run.recipe.name}"), run) as held:
        while True:
            if clear:
                _clear(run.work)
                ladder_record.write(run.work, asked, taken, clear=False)
            begun = drop_broken_checkpoints(run.work / "adapter")
            if begun:
                check_shares(run.work / "adapter" / f"checkpoint-{begun}", launch.processes)
                run.console.line(f"train     goes on from step {begun}")
            progress = Progress(points=_earlier_points(run.work / POINTS))
            kills = out_of_memory.kernel_kills()
            try:
                _attempt(run, applied(asked, taken), launch, progress, begun, held)
                break
            except process.ToolError as problem:
                if not out_of_memory.ran_out(problem.log, problem.code, out_of_memory.kernel_kills() - kills):
                    raise
                taken = (*taken, _step_down(run, asked, taken, problem, progress))
                clear = taken[-1].anew
                ladder_record.write(run.work, asked, taken, clear=clear)
    return _facts(run, progress, begun, taken)


def _remembered(run: Run, asked: Mapping[str, Any]) -> tuple[tuple[Taken, ...], bool]:
    """The steps that an interrupted training had taken, and whether what it left is of another configuration."""
    taken, clear = ladder_record.read(run.work, run.recipe.train.on_out_of_memory)
    if (run.work / ladder_record.RECORD).exists():
        ladder_record.write(run.work, asked, taken, clear=clear)
    if taken:
        said = "; ".join(step.said for step in taken)
        run.console.line(f"train     an earlier try ran out of memory, so it goes on with {said} (--force tries the recipe as it is)")
    return taken, clear


def _shared(run: Run, config: dict[str, Any], cards: int) -> dict[str, Any]:
    """The configuration with a batch that the cards can share evenly, where they share it."""
    if not run.recipe.train.keep_batch:
        return config
    fit, said = fitted(config, cards)
    if said:
        run.console.line(f"train     {said}")
    return fit


def _attempt(run: Run, config: Mapping[str, Any], launch: Launcher, progress: Progress, step_done: int, held: Sequence[int]) -> None:
    """One run of Axolotl. config: of the whole step. step_done: from which it goes on. held: the locks of the cards, which it inherits.

    Raises process.ToolError, and LorewrightError when the loss is lost.
    """
    command = launch.command(envs.ensure("train").path / "bin", free_port())
    written = for_each(config, launch.processes) if run.recipe.train.keep_batch else config
    write_config(run, "train", written, launch.by_hand())
    watch, begun = _watch(config, progress.points, step_done), time.monotonic()
    with run.console.bar("train") as bar, open(run.work / POINTS, "a", encoding="utf-8") as points:

        def on_line(line: str) -> None:
            point = progress.read(line)
            if point:
                points.write(json.dumps(point | {"step": progress.step, "at": round(time.monotonic() - begun, 2)}) + "\n")
                points.flush()
                done = progress.step / progress.total if progress.total else 0.0
                _look(watch.judge(point | {"step": progress.step}, done), run, config)
            bar(progress.step, progress.total or None, progress.note())

        variables = launch.variables(len(os.sched_getaffinity(0)))
        try:
            process.run(
                command, environment=run.tool_environment("train", variables, model=str(config["base_model"])),
                log=run.paths.log("train"), folder=run.work, on_line=on_line, handles=held,
            )  # fmt: skip
        except LostError as lost:
            raise stopped(lost.finding, run.work / "adapter", config) from None


def _step_down(run: Run, asked: Mapping[str, Any], taken: tuple[Taken, ...], problem: process.ToolError, progress: Progress) -> Taken:
    """The ladder's next step, told in one line. Raises LorewrightError when there is none."""
    during = out_of_memory.phase(problem.log)
    rungs = run.recipe.train.on_out_of_memory
    found = next_step(Situation(applied(asked, taken), during, taken), rungs, progress.step)
    if isinstance(found, Taken):
        after = "; begins anew, for its checkpoints are of another training" if found.anew else ""
        run.console.line(f"train     out of memory while {_during(during, progress)}: {found.step}, {found.said}{after}")
        return found
    tried = "; ".join(step.said for step in taken)
    steps = f"tried {tried}; nothing is left in train.on_out_of_memory" if taken else "train.on_out_of_memory has no step for it"
    left = f" ({'; '.join(found)})" if found else ""
    raise LorewrightError(
        f"{problem.what} while {_during(during, progress)}; {steps}{left}", where=problem.where, remedy=problem.remedy, tail=problem.tail
    )


def _during(phase: str, progress: Progress) -> str:
    return f"{phase} (step {progress.step} of {progress.total})" if progress.total and phase != "loading" else phase


def _clear(work: Path) -> None:
    """Takes away what another configuration's training has left."""
    shutil.rmtree(work / "adapter", ignore_errors=True)
    (work / POINTS).unlink(missing_ok=True)


def _facts(run: Run, progress: Progress, begun: int, taken: tuple[Taken, ...]) -> Facts:
    draw_loss(curve(progress.points, "loss"), curve(progress.points, "eval_loss"), run.recipe.name, run.work / "loss.png")
    facts = summary(progress) | {"resumed_from_step": begun}
    model = ladder_record.trained_model(run.work, run.recipe.base_model)
    if not is_folder(model):
        facts["base_model_commit"] = commit(model)
    if taken:
        record = ("step", "phase", "at_step", "said", "anew")
        facts["out_of_memory"] = [{key: getattr(step, key) for key in record} for step in taken]
    losses = f"loss {facts['first_loss']:.3f} -> {facts['final_loss']:.3f}" if "first_loss" in facts else "no loss was logged"
    less = f"; for want of memory {'; '.join(step.said for step in taken)}" if taken else ""
    return facts | {"said": f"{facts['steps']} steps, {losses}{less}"}


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
